//! What a drill may take of the systems that it touches.

use std::num::NonZeroU16;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Rate;

/// What a drill may take of the systems that it touches, so that production doesn't suffer. What limits the vault slows the
/// recovery down too: the record says so.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Most bytes a second that are read from the source, and most that are exchanged with the vault; each on its own.
    /// Absent: no limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bandwidth: Option<Rate>,
    /// Most requests to the vault at once, those to a source of objects counted with them. Absent: as many as segments and objects are
    /// under way.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub concurrency: Option<NonZeroU16>,
    /// How nice reading and sealing the source is to other programs, as `nice` counts it: from 0, like all others, to 19,
    /// the last to get the processor. It holds for the programs that the source starts too, never for the recovery.
    #[schemars(range(min = 0, max = 19))]
    pub nice: u8,
    /// The class in which the source is read, as `ionice` calls it. Absent: what the kernel makes of `nice`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ionice: Option<IoClass>,
}

/// A scheduling class of the kernel for reading and writing disks. Not every disk's scheduler heeds it: `bfq` and
/// `mq-deadline` do, `none` doesn't.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum IoClass {
    /// Last among all who want the disk, but served in turn.
    BestEffort,
    /// Only when nobody else wants the disk. On a disk that is always busy this may take for ever.
    Idle,
}

impl Default for Limits {
    fn default() -> Self {
        Self { bandwidth: None, concurrency: None, nice: 10, ionice: None }
    }
}
