//! What an index says of an object, from what the store tells of it. The names of the attributes are those that `rclone copy --metadata`
//! writes and reads, so that restored files can be put back into a bucket with all of them.

use std::collections::BTreeMap;
use std::path::Path;

use crate::vault::About;
use crate::{Account, Entry, EntryKind, PathText};

/// What objects have no modes for: readable by all who may enter the scratch.
const FILE_MODE: u32 = 0o644;
const FOLDER_MODE: u32 = 0o755;

/// What the header of metadata begins with; a name that is taken gets it.
const METADATA: &str = "x-amz-meta-";

/// The entry of an object. Objects have no owner either, so it is whoever takes them.
pub(super) fn entry(path: &Path, kind: EntryKind, about: &About, owner: &Account) -> Entry {
    let mode = if kind == EntryKind::Directory { FOLDER_MODE } else { FILE_MODE };
    let nanos = about.modified.map(|time| i64::try_from(time.as_nanosecond()).unwrap_or(i64::MAX));
    Entry {
        path: PathText::new(path),
        kind,
        mode,
        uid: owner.uid,
        gid: owner.gid,
        mtime_ns: nanos.unwrap_or_default(),
        xattrs: attributes(about),
    }
}

/// Headers, entity tag and metadata as extended attributes.
fn attributes(about: &About) -> BTreeMap<String, String> {
    let told =
        about.headers.iter().map(|(name, value)| (*name, value)).chain(about.etag.iter().map(|tag| ("etag", tag)));
    let mut attributes: BTreeMap<String, String> =
        told.map(|(name, value)| (format!("user.{name}"), hex::encode(value))).collect();
    for (name, value) in &about.metadata {
        let mut name = PathText::new(format!("user.{name}")).to_string();
        while attributes.contains_key(&name) {
            name = name.replacen("user.", &format!("user.{METADATA}"), 1);
        }
        attributes.insert(name, hex::encode(value));
    }
    attributes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metadata_that_is_called_like_a_header_keeps_its_own_name_and_value() {
        let text = |text: &str| text.to_owned();
        let about = About {
            etag: Some(text("\"e\"")),
            headers: BTreeMap::from([("content-type", text("a"))]),
            metadata: BTreeMap::from([(text("content-type"), text("b")), (text("x-amz-meta-content-type"), text("c"))]),
            ..About::default()
        };
        let expected = [
            ("user.content-type", "a"),
            ("user.etag", "\"e\""),
            ("user.x-amz-meta-content-type", "b"),
            ("user.x-amz-meta-x-amz-meta-content-type", "c"),
        ];
        let expected = expected.map(|(name, value)| (text(name), hex::encode(value)));
        assert_eq!(attributes(&about), BTreeMap::from(expected));
    }
}
