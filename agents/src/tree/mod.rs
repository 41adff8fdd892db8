//! Trees of files: captured as one POSIX tar, restored from any, and observed again.
//!
//! Every step down goes through a folder that is held open and follows no link, so that neither a path that is swapped while
//! it is read nor a hostile archive leads out of the tree.

mod ahead;
mod archive;
mod attributes;
mod canary;
mod capture;
mod content;
mod descent;
mod entry;
mod exclude;
mod extent;
mod files;
mod head;
mod notes;
mod observe;
mod open;
mod pax;
mod remove;
mod restore;
mod settle;
mod shape;
mod survey;
mod unpack;
mod walk;
mod written;

#[cfg(test)]
mod tests;

pub(crate) use archive::Archive;
pub(crate) use canary::{
    canary_path, canary_text, is_canary, is_canary_text, plant_canary, seen_canary, unplant_canary,
};
pub(crate) use capture::{Tree, capture, newest};
pub(crate) use content::Content;
pub(crate) use descent::{file_below, is_in_memory, make_root, open_root};
pub(crate) use entry::{entry, mtime_ns};
pub(crate) use exclude::Exclusions;
pub(crate) use files::{find_file, read_files};
pub(crate) use notes::Notes;
pub(crate) use observe::observe;
pub(crate) use remove::remove_tree;
pub(crate) use restore::{restore, restore_file};
pub(crate) use shape::in_shape_of;
pub(crate) use survey::survey;
pub(crate) use walk::{Rules, Walk};
pub(crate) use written::Written;
