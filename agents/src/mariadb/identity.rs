//! Who a server is, by its own word.

use std::path::Path;

use super::programs::plain;
use super::session::Session;
use crate::{Identity, Result};

const ASKED: &str = "SELECT @@hostname, @@port, @@datadir, @@socket, VERSION()";
const TOLD: [&str; 5] = ["hostname", "port", "datadir", "socket", "version"];

/// The server that this session is on: the host and port that it goes by, the folder of its data, its unique id where it has one, and of
/// a server on this host the device and inode of that folder.
pub(crate) async fn of(session: &mut Session, here: bool) -> Result<Identity> {
    let doing = "asking the server who it is";
    let row = session.row(doing, ASKED).await?;
    let mut identity = Identity::new("mariadb", []);
    let told = TOLD.into_iter().zip(row).filter_map(|(name, value)| Some((name.to_owned(), value?)));
    identity.values.extend(told);
    let ids = session.rows(doing, "SHOW GLOBAL VARIABLES WHERE Variable_name IN ('server_uid', 'server_uuid')").await?;
    let pair = |row: Vec<Option<String>>| Some((row.first()?.clone()?, row.get(1)?.clone()?));
    identity.values.extend(ids.into_iter().filter_map(pair).filter(|(_, id)| !id.is_empty()));
    if let Some(version) = identity.values.get_mut("version") {
        *version = plain(version);
    }
    let folder = identity
        .values
        .get("datadir")
        .filter(|_| here)
        .and_then(|folder| Identity::of_path("folder", Path::new(folder)).ok());
    identity.values.extend(folder.into_iter().flat_map(|folder| folder.values));
    Ok(identity)
}
