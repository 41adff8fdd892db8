//! Objects of a store as a tree of files: keys are paths, and what the store tells beside the content are extended attributes.

mod canary;
mod capture;
mod entry;
mod excluded;
mod found;
mod gather;
mod keys;
mod taken;

#[cfg(test)]
mod tests;

pub(crate) use canary::{plant, unplant};
pub(crate) use capture::{Objects, capture};
pub(crate) use found::survey;
