//! The kinds of scratch, one file each; their options are the scenario language's.

mod directory;
mod etcd;
mod mariadb;
mod postgres;
mod redis;
mod timestamp;

pub(crate) use self::directory::DirectoryScratch;
pub(crate) use self::etcd::EtcdScratch;
pub(crate) use self::mariadb::MariadbScratch;
pub(crate) use self::postgres::PostgresScratch;
pub(crate) use self::redis::RedisScratch;
use crate::{Result, Scratch};

/// The kind of scratch that a scenario names, and how it is to be looked at: one row a kind. Nothing is made yet.
///
/// # Errors
/// Those of settings that can't work.
pub fn open(scratch: &drill_scenarios::Scratch, verify: &drill_scenarios::Verify) -> Result<Box<dyn Scratch>> {
    use drill_scenarios::Scratch as Named;
    Ok(match scratch {
        Named::Directory(scratch) => Box::new(DirectoryScratch::open(scratch, verify)),
        Named::Postgres(scratch) => Box::new(PostgresScratch::open(scratch)?),
        Named::Mariadb(scratch) => Box::new(MariadbScratch::open(scratch)?),
        Named::Redis(scratch) => Box::new(RedisScratch::open(scratch)),
        Named::Etcd(scratch) => Box::new(EtcdScratch::open(scratch)),
    })
}
