//! A program that looks for us: its exit code, what it writes, and the keys of the JSON object that it may write.

use std::os::unix::process::ExitStatusExt;

use drill_scenarios::{CommandProbe, Observation, Scalar};

use super::{KEPT, Outfit, Seen, Start, Within, observation, text, whole};
use crate::process::Ended;
use crate::{Kind, Result};

/// Runs it in the root of the restored data.
pub(super) async fn observe(probe: &CommandProbe, within: Within<'_>) -> Result<Seen> {
    let outfit = Outfit { argv: &probe.argv, folder: None, env: &probe.env, secrets: &probe.secrets };
    let program = match outfit.program(within)? {
        Start::Ready(program) => program,
        Start::Absent(why) => return Ok(Seen::Nothing(why)),
    };
    let name = program.name();
    match program.run(within.cx, probe.timeout.duration(), KEPT).await {
        Ok(ended) => Ok(Seen::Values(values(&ended))),
        Err(error) if error.kind() == Kind::TimedOut => {
            Ok(Seen::Nothing(format!("{name} ran longer than {}", probe.timeout)))
        }
        Err(error) => Err(error),
    }
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
