//! How programs on the restored data are kept from everything else.

use std::num::NonZeroU32;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Size;

/// Keeps the app and the programs of probes from everything but what was restored: a network of their own that leads nowhere, a
/// read-only system without the host's files, and limits. `sandbox: {}` takes all of it with its defaults. It goes with every
/// kind of scratch. What was tried and came to nothing stands in the report.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Sandbox {
    /// Most memory that all programs in it take together.
    pub memory: Size,
    /// Most processes and threads at a time.
    pub processes: NonZeroU32,
    /// Most processors' worth of time; `0.5` is half of one. Absent: no limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0.01))]
    pub cpus: Option<f64>,
    /// Most bytes that may be written to the disk beside what was restored.
    pub disk: Size,
    /// Files and folders of this host that can be read in it besides `/usr` and the harmless parts of `/etc`: a program's own
    /// (`/opt/wiki`), its settings. Absolute paths.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub readable: Vec<PathBuf>,
}

impl Default for Sandbox {
    fn default() -> Self {
        Self {
            memory: Size::gibibytes(2),
            processes: NonZeroU32::MIN.saturating_add(511),
            cpus: None,
            disk: Size::gibibytes(10),
            readable: Vec::new(),
        }
    }
}
