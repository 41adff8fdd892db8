//! The end of a server, known by its data folder alone: whoever made it may have been killed.

use std::path::Path;

use rustix::process::Signal;

use crate::Result;
use crate::process::stop_working_in;

/// Stops whatever server works in the folder `data`, at once: nothing is written down any more, and everything that it made lies below
/// its folder.
///
/// # Errors
/// [`crate::Kind::Denied`] if one doesn't end.
pub(crate) async fn stop(data: &Path) -> Result<()> {
    stop_working_in(data, &["mariadbd", "mysqld"], Signal::KILL).await
}
