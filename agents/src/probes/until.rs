//! Looking again until what is expected holds. This is the one loop that repeats a look.

use std::ops::ControlFlow;
use std::time::Duration;

use drill_scenarios::{Expectations, Judgement, judge};
use jiff::Timestamp;
use tokio::time::{sleep, timeout};

use super::Seen;
use crate::{Context, Result};

/// Pause after the first look, and the longest pause.
const PAUSES: (Duration, Duration) = (Duration::from_millis(50), Duration::from_millis(500));

impl Seen {
    /// Holds what was seen against what is expected. Where nothing was seen nothing holds.
    pub fn judge(&self, expected: &Expectations, failure_instant: Timestamp) -> Judgement {
        match self {
            Self::Values(values) => judge(expected, values, failure_instant),
            Self::Nothing(why) => Judgement::Fails(vec![why.clone()]),
        }
    }
}

/// Looks until `look` says [`ControlFlow::Break`] or `within` is over, and returns what it said last. It looks once at least, and the
/// first look takes its own time; later ones are cut off at the end of `within`.
///
/// # Errors
/// The look's own, at once; [`crate::Kind::Interrupted`] once the run was asked to stop.
pub async fn until<T>(
    cx: &Context,
    within: Duration,
    mut look: impl AsyncFnMut() -> Result<ControlFlow<T, T>>,
) -> Result<T> {
    let end = cx.clock.elapsed() + within;
    let mut pause = PAUSES.0;
    let mut said = look().await?;
    loop {
        let last = match said {
            ControlFlow::Break(last) => return Ok(last),
            ControlFlow::Continue(last) => last,
        };
        cx.go_on()?;
        sleep(pause.min(end.saturating_sub(cx.clock.elapsed()))).await;
        pause = (pause * 2).min(PAUSES.1);
        let left = end.saturating_sub(cx.clock.elapsed());
        if left.is_zero() {
            return Ok(last);
        }
        match timeout(left, look()).await {
            Ok(again) => said = again?,
            Err(_) => return Ok(last),
        }
    }
}
