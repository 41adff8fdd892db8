//! Leaving an act when the run is asked to stop. Dropping it ends what it started: a program is killed, a session is
//! closed.

use crate::{Context, Result};

/// What `act` gives, unless the run is asked to stop before.
///
/// # Errors
/// [`crate::Kind::Interrupted`]; what `act` says.
pub(crate) async fn unless_stopped<T>(cx: &Context, act: impl Future<Output = Result<T>>) -> Result<T> {
    tokio::select! {
        done = act => done,
        () = cx.cancel.cancelled() => Err(cx.go_on().expect_err("it was asked to stop")),
    }
}
