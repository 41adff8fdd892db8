//! All writes of a server, held back for a moment, in which a dump and whoever reads beside it begin at one instant.
//!
//! While the lock is waited for, writes wait behind it, and it waits for what is being written now. So that wait is short, and who can't
//! have the lock does without.

use super::connection::Target;
use super::session::Session;
use crate::{Kind, Result};

/// How long the lock may be waited for.
const PATIENCE_SECS: u8 = 3;

/// Writes are held back as long as this lives.
#[derive(Debug)]
pub(crate) struct Hold(Session);

impl Hold {
    /// Holds all writes back. What keeps it from that and from nothing else is returned as text.
    ///
    /// # Errors
    /// Those of connecting.
    pub(crate) async fn take(target: &Target) -> Result<std::result::Result<Self, String>> {
        let mut session = target.connect().await?;
        let doing = "holding writes back";
        session.run(doing, &format!("SET SESSION lock_wait_timeout = {PATIENCE_SECS}")).await?;
        match session.run(doing, "FLUSH TABLES WITH READ LOCK").await {
            Ok(()) => Ok(Ok(Self(session))),
            Err(error) if error.kind() == Kind::Denied => Ok(Err("the user lacks `RELOAD`".into())),
            Err(error) if error.kind() == Kind::TimedOut => {
                Ok(Err(format!("a statement that was running kept the lock from being had within {PATIENCE_SECS} s")))
            }
            Err(error) => Err(error),
        }
    }

    /// Lets them go on.
    pub(crate) async fn release(mut self) -> Result<()> {
        self.0.run("letting writes go on", "UNLOCK TABLES").await
    }
}
