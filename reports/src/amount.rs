//! Amounts as people read them: durations, bytes, counts, instants. They are rounded; whoever compares takes the numbers.

use jiff::Timestamp;

/// A duration in its two largest units: `340 ms`, `12.3 s`, `4 m 12 s`, `2 h 3 m`, `3 d 4 h`. Negative ones are shown as 0.
#[must_use]
pub fn duration(secs: f64) -> String {
    let secs = secs.max(0.0);
    let millis = rounded(secs * 1000.0);
    let tenths = rounded(secs * 10.0);
    let whole = rounded(secs);
    let minutes = rounded(secs / 60.0);
    if millis < 1000 {
        format!("{millis} ms")
    } else if tenths < 600 {
        if tenths.is_multiple_of(10) {
            format!("{} s", tenths / 10)
        } else {
            format!("{}.{} s", tenths / 10, tenths % 10)
        }
    } else if whole < 3600 {
        two_units(whole, 60, ["m", "s"])
    } else if minutes < 48 * 60 {
        two_units(minutes, 60, ["h", "m"])
    } else {
        two_units(rounded(secs / 3600.0), 24, ["d", "h"])
    }
}

/// Bytes in binary units: `812 B`, `4.0 KiB`, `1.2 GiB`.
#[must_use]
pub fn bytes(count: u64) -> String {
    if count < 1024 {
        return format!("{count} B");
    }
    let mut scaled = count as f64;
    let mut unit = "B";
    for next in ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"] {
        // 1023.95 would be shown as 1024.0 of the smaller unit.
        if scaled < 1023.95 {
            break;
        }
        scaled /= 1024.0;
        unit = next;
    }
    format!("{scaled:.1} {unit}")
}

/// A count with its thousands apart: `1,000,001`.
#[must_use]
pub fn number(count: u64) -> String {
    let digits = count.to_string();
    let mut grouped = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// A count and its noun, which takes an `s` unless there is exactly one: `1 check`, `1,204 checks`.
#[must_use]
pub fn counted(count: usize, noun: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{} {noun}{plural}", number(count as u64))
}

/// An instant, to the second: `2026-11-23 13:45:10 UTC`.
#[must_use]
pub fn instant(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%S UTC").to_string()
}

fn rounded(value: f64) -> u64 {
    // A float that is too large becomes the largest integer, which is right here.
    value.round() as u64
}

fn two_units(small: u64, per_large: u64, [large, unit]: [&str; 2]) -> String {
    match small % per_large {
        0 => format!("{} {large}", small / per_large),
        rest => format!("{} {large} {rest} {unit}", small / per_large),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_two_units_and_never_sixty_of_the_smaller() {
        let shown =
            [-1.0, 0.0, 0.0004, 0.34, 0.9996, 1.0, 12.34, 59.94, 59.96, 252.0, 900.0, 3599.6, 7380.0, 273_600.0];
        let expected = [
            "0 ms", "0 ms", "0 ms", "340 ms", "1 s", "1 s", "12.3 s", "59.9 s", "1 m", "4 m 12 s", "15 m", "1 h",
            "2 h 3 m", "3 d 4 h",
        ];
        assert_eq!(shown.map(duration), expected);
    }

    #[test]
    fn bytes_are_binary_and_never_1024_of_a_unit() {
        let shown = [0, 1023, 1024, 1_048_575, 1_288_490_189, u64::MAX];
        assert_eq!(shown.map(bytes), ["0 B", "1023 B", "1.0 KiB", "1.0 MiB", "1.2 GiB", "16.0 EiB"]);
    }

    #[test]
    fn counts_keep_their_thousands_apart() {
        assert_eq!([0, 999, 1000, 1_000_001].map(number), ["0", "999", "1,000", "1,000,001"]);
        assert_eq!([counted(1, "check"), counted(0, "check")], ["1 check", "0 checks"]);
    }

    #[test]
    fn instants_are_in_utc() {
        let at: Timestamp = "2026-11-23T14:45:10.9+01:00".parse().unwrap();
        assert_eq!(instant(at), "2026-11-23 13:45:10 UTC");
    }
}
