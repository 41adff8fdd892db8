//! Probes: what looks into an environment. One file a kind, one row a kind in [`observe`].
//!
//! A probe tells what it saw and judges nothing. There are three ways for it to end, and which one it is decides whether a drill
//! fails or stays without an answer:
//! * it saw something: [`Seen::Values`], to be held against what is expected;
//! * it looked, and what it looked at did not answer, or with an error: [`Seen::Nothing`]. The app is down, the table is gone. That
//!   says something about the backup, and no expectation can hold;
//! * it could not look: an `Err`. A program is missing on this host, a secret isn't set. That says nothing about the backup.
//!
//! A probe never leaves the environment: it connects to loopback only, reads below the root only, and what it starts carries the
//! run's mark.

mod command;
#[cfg(test)]
pub(crate) mod fake;
mod file;
mod free;
mod http;
mod loopback;
mod program;
mod reach;
mod references;
mod sql;
mod tcp;
#[cfg(test)]
mod tests;
mod until;

use std::collections::BTreeMap;

use drill_scenarios::{Observation, Probe, Scalar};

pub use self::free::require_free;
pub(crate) use self::program::{Outfit, Start, fill};
pub use self::until::until;
use crate::{Context, Environment, Result};

/// Bytes that a probe keeps of a body, a program's output or a file.
const KEPT: usize = 1 << 20;

/// What a probe saw.
#[derive(Debug, Clone, PartialEq)]
pub enum Seen {
    /// These values.
    Values(Observation),
    /// Nothing: what was looked at did not answer, or with this error. It says something about the backup.
    Nothing(String),
}

/// Where a probe looks.
#[derive(Clone, Copy)]
pub struct Within<'a> {
    /// The run's context; inside the sandbox, if there is one.
    pub cx: &'a Context,
    /// The environment that it looks into.
    pub env: &'a dyn Environment,
    /// That of the files which references lead to; often the same.
    pub files: &'a dyn Environment,
    /// The facts of all environments, with `DRILL_ROOT`, `DRILL_RUN` and `DRILL_PORT`.
    pub facts: &'a BTreeMap<String, String>,
}

/// Looks once. `${FACT}`s are filled into the probe's texts before, and secrets are scrubbed from what it saw.
///
/// # Errors
/// Only if it could not look; see the module's own words.
pub async fn observe(probe: &Probe, within: Within<'_>) -> Result<Seen> {
    let cx = within.cx;
    let seen = match probe {
        Probe::Http(probe) => http::observe(probe, within).await,
        Probe::Sql(probe) => sql::observe(probe, within).await,
        Probe::Tcp(probe) => tcp::observe(probe, within).await,
        Probe::Command(probe) => command::observe(probe, within).await,
        Probe::File(probe) => file::observe(probe, within).await,
        Probe::References(probe) => references::observe(probe, within).await,
    }?;
    Ok(match seen {
        Seen::Values(values) => {
            Seen::Values(values.into_iter().map(|(name, value)| (name, scrubbed(value, cx))).collect())
        }
        Seen::Nothing(why) => Seen::Nothing(cx.secrets.scrub(&why)),
    })
}

fn scrubbed(value: Scalar, cx: &Context) -> Scalar {
    match value {
        Scalar::Text(text) => Scalar::Text(cx.secrets.scrub(&text)),
        plain => plain,
    }
}

/// A number of bytes, milliseconds or things as a value.
fn whole(number: impl TryInto<i64>) -> Scalar {
    Scalar::Int(number.try_into().unwrap_or(i64::MAX))
}

fn text(bytes: &[u8]) -> Scalar {
    Scalar::Text(String::from_utf8_lossy(bytes).into_owned())
}

fn observation<const N: usize>(values: [(&str, Scalar); N]) -> Observation {
    values.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}
