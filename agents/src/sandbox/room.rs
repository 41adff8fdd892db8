//! Looks again and again at how much programs in a sandbox have written to the disk, and ends the sandbox when it is too much.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::Walls;
use crate::Context;
use crate::stream::on_thread;

/// The shortest pause between two looks; a look that takes long is followed by a pause ten times as long.
const PAUSE: Duration = Duration::from_secs(1);

/// Begins to look. It ends with the sandbox.
pub(super) async fn watch(cx: &Context, walls: &Arc<Walls>) {
    let (folders, clock) = (walls.writable.clone(), cx.clock.clone());
    let most = taken(folders.clone()).await.saturating_add(walls.rules.disk.bytes());
    let walls = Arc::downgrade(walls);
    tokio::spawn(async move {
        let mut pause = PAUSE;
        loop {
            tokio::time::sleep(pause).await;
            let began = clock.elapsed();
            let taken = taken(folders.clone()).await;
            let Some(walls) = walls.upgrade() else { return };
            if taken > most {
                walls.overfull.store(true, Ordering::Relaxed);
                walls.end().await;
                return;
            }
            pause = PAUSE.max((clock.elapsed() - began) * 10);
        }
    });
}

/// Bytes on the disk below these folders. What vanishes meanwhile counts no more.
async fn taken(folders: Vec<PathBuf>) -> u64 {
    on_thread(move || folders.iter().map(|folder| below(folder)).fold(0, u64::saturating_add)).await
}

fn below(folder: &Path) -> u64 {
    let (mut bytes, mut folders) = (0_u64, vec![folder.to_owned()]);
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            let Ok(meta) = entry.metadata() else { continue };
            bytes = bytes.saturating_add(meta.blocks().saturating_mul(512));
            if meta.is_dir() {
                folders.push(entry.path());
            }
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_at_any_depth_counts_and_holes_do_not() {
        let home = tempfile::tempdir().expect("tempdir");
        std::fs::create_dir_all(home.path().join("a/b")).expect("folders");
        let before = below(home.path());
        std::fs::write(home.path().join("a/b/file"), vec![1; 1 << 20]).expect("file");
        let hole = std::fs::File::create(home.path().join("a/hole")).expect("file");
        hole.set_len(1 << 30).expect("a hole");
        let grown = below(home.path()) - before;
        assert!((1 << 20..2 << 20).contains(&grown), "{grown}");
    }
}
