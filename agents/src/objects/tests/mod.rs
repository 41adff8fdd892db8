//! Objects of a server in memory: taken, restored, changed meanwhile, and refused.

mod changes;
mod refused;
mod round_trip;
mod store;

use std::net::SocketAddr;
use std::path::Path;

use drill_scenarios::{Level, Reference, S3Vault};

use self::store::{BUCKET, KEYS, Object, Store};
use crate::sources::ObjectsSource;
use crate::{Captured, Context, Error, Index, Kind, Source, differences, tree, trial};

/// A server with objects, the source that takes those below a prefix, and a folder for everything else.
struct Bench {
    store: Store,
    address: SocketAddr,
    home: tempfile::TempDir,
    cx: Context,
}

impl Bench {
    async fn new<const N: usize>(objects: [(&str, Object); N]) -> Self {
        crate::install_tls();
        let (store, address) = Store::serve(objects).await;
        let home = tempfile::tempdir().expect("a temporary folder");
        for (name, value) in [("id", KEYS[0]), ("key", KEYS[1])] {
            std::fs::write(home.path().join(name), value).expect("written");
        }
        let cx = trial::context(home.path());
        Self { store, address, home, cx }
    }

    /// The bucket below this prefix, in the scenario language.
    fn place(&self, prefix: &str, host: &str) -> drill_scenarios::Vault {
        drill_scenarios::Vault::S3(S3Vault {
            bucket: BUCKET.into(),
            prefix: prefix.into(),
            endpoint: Some(format!("http://{host}:{}", self.address.port())),
            region: None,
            checksum: drill_scenarios::Checksum::default(),
            access_key_id: Some(Reference::File("id".into())),
            secret_access_key: Some(Reference::File("key".into())),
        })
    }

    fn source(&self, prefix: &str, exclude: &[&str]) -> ObjectsSource {
        let exclude = exclude.iter().map(|glob| (*glob).to_owned()).collect();
        let place = self.place(prefix, "127.0.0.1");
        let source = drill_scenarios::ObjectsSource { place, exclude, canary: true };
        ObjectsSource::open(&source, &self.cx.secrets).expect("a source")
    }

    async fn captured(&self, prefix: &str) -> (Captured, Vec<u8>) {
        trial::captured(&self.source(prefix, &[]), &self.cx).await.expect("captured")
    }

    async fn refused(&self, prefix: &str) -> Error {
        trial::captured(&self.source(prefix, &[]), &self.cx).await.expect_err("refused")
    }

    /// Restores a stream into a folder of this name.
    async fn restored(&self, name: &str, stream: Vec<u8>) -> std::path::PathBuf {
        let root = self.home.path().join(name);
        tree::make_root(&root).expect("a root");
        let restored = tree::restore(&self.cx, &root, trial::reader(stream), None).await.expect("restored");
        assert_eq!((restored.complaints, restored.notes), (Vec::new(), Vec::new()));
        root
    }

    /// What differs between an index and what is in a folder.
    fn differs(&self, index: &Index, root: &Path) -> Vec<(String, String)> {
        let opened = tree::open_root(root).expect("a root");
        let mut entries = tree::observe(&self.cx, opened, Level::Content, None).expect("observed").entries;
        tree::in_shape_of(index, &mut entries);
        differences(index, &Index { entries, ..Index::new(index.format.clone()) }, Level::Content)
    }
}

fn paths(captured: &Captured) -> Vec<String> {
    captured.index.entries.iter().map(|entry| entry.path.to_string()).collect()
}

fn notes(captured: &Captured) -> Vec<(&str, &str)> {
    captured.notes.iter().map(|note| (note.subject.as_str(), note.statement.as_str())).collect()
}
