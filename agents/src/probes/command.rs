//! A program that looks for us: its exit code, what it writes, and the keys of the JSON object that it may write.

use std::os::unix::process::ExitStatusExt;

use drill_scenarios::{CommandProbe, Observation, Scalar};

use super::{KEPT, Outfit, Seen, Start, Within, observation, text, whole};
use crate::process::{Ended, Running};
use crate::{Error, Kind, Result};

/// What an engine writes in place of a program that it can't start.
const NOT_STARTED: &[u8] = b"OCI runtime exec failed";

/// Runs it in the root of the restored data.
pub(super) async fn observe(probe: &CommandProbe, within: Within<'_>) -> Result<Seen> {
    let outfit = Outfit { argv: &probe.argv, folder: None, env: &probe.env, secrets: &probe.secrets };
    let program = if probe.in_app { beside_app(outfit, within).await? } else { on_its_own(outfit, within)? };
    let program = match program {
        Ok(program) => program,
        Err(why) => return Ok(Seen::Nothing(why)),
    };
    let name = program.name().to_owned();
    match program.wait_collecting(probe.timeout.duration(), KEPT).await {
        Ok(ended) if probe.in_app && ended.stdout.starts_with(NOT_STARTED) => Err(not_started(&name, &ended)),
        Ok(ended) => Ok(Seen::Values(values(&ended))),
        Err(error) if error.kind() == Kind::TimedOut => {
            Ok(Seen::Nothing(format!("{name} ran longer than {}", probe.timeout)))
        }
        Err(error) => Err(error),
    }
}

/// A program that was started, or why there is nothing to be seen.
type Started = std::result::Result<Running, String>;

fn on_its_own(outfit: Outfit<'_>, within: Within<'_>) -> Result<Started> {
    match outfit.program(within)? {
        Start::Ready(program) => program.start(within.cx).map(Ok),
        Start::Absent(why) => Ok(Err(why)),
    }
}

/// In a container that has ended nothing is to be seen.
async fn beside_app(outfit: Outfit<'_>, within: Within<'_>) -> Result<Started> {
    let none = || Error::new(Kind::Config, "there is no container of an app");
    match within.cx.sandbox().ok_or_else(none)?.start_beside(outfit, within).await {
        Err(error) if matches!(error.kind(), Kind::Refused | Kind::NotFound) => Ok(Err(error.chain())),
        started => started.map(Ok),
    }
}

fn not_started(name: &str, ended: &Ended) -> Error {
    Error::new(Kind::Config, format!("starting {name} in the app's container"))
        .because(String::from_utf8_lossy(&ended.stdout).trim().to_owned())
        .hint("Name a program that the image has, or take `in_app` away: then it is one of this host.")
}

/// Outputs are without the newlines at their end, as in a shell's `$(…)`; an end by a signal is 128 and its number, as in a shell.
fn values(ended: &Ended) -> Observation {
    let exit = ended.status.code().or_else(|| Some(128 + ended.status.signal()?)).unwrap_or(i32::MAX);
    let length = ended.stdout.iter().rposition(|byte| *byte != b'\n').map_or(0, |last| last + 1);
    let stdout = &ended.stdout[..length];
    let mut values = observation([
        ("exit", whole(exit)),
        ("stdout", text(stdout)),
        ("stderr", Scalar::Text(ended.stderr.join("\n").trim_end_matches('\n').to_owned())),
    ]);
    if let Ok(object) = serde_json::from_slice::<serde_json::Map<String, serde_json::Value>>(stdout) {
        values.extend(object.into_iter().map(|(key, value)| (format!("json.{key}"), scalar(value))));
    }
    values
}

/// Lists and objects are their JSON text, and so is a number that neither type can hold.
fn scalar(value: serde_json::Value) -> Scalar {
    use serde_json::Value;
    match value {
        Value::Null => Scalar::Null,
        Value::Bool(value) => Scalar::Bool(value),
        Value::String(text) => Scalar::Text(text),
        Value::Number(number) => match (number.as_i64(), number.is_f64(), number.as_f64()) {
            (Some(whole), _, _) => Scalar::Int(whole),
            (None, true, Some(float)) => Scalar::Float(float),
            _ => Scalar::Text(number.to_string()),
        },
        other => Scalar::Text(other.to_string()),
    }
}
