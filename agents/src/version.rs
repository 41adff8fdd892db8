//! Versions of servers.

/// Major and minor number; nothing for what is no version.
pub(crate) fn minor(version: &str) -> Option<(u32, u32)> {
    let mut parts = version.split('.').map(str::parse);
    Some((parts.next()?.ok()?, parts.next()?.ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_ordered_by_their_numbers() {
        assert!(minor("7.0.15") < minor("7.2.4") && minor("7.2.4") < minor("10.0.0"));
        assert_eq!(["", "7", "x.y"].map(minor), [None; 3]);
    }
}
