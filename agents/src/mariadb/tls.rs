//! TLS to a MariaDB or MySQL server, for drillctl's own sessions and for the client programs.

use std::net::IpAddr;
use std::path::PathBuf;

use mysql_async::SslOpts;

use super::connection::Address;
use crate::process::Program;
use crate::{Error, Kind, Result};

/// How much TLS is wished for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Tls {
    /// No TLS.
    None,
    /// Encrypted, whoever answers: the bytes are safe from listeners, not from an impostor.
    Encrypted,
    /// Encrypted, with certificate and name checked against the authorities in this file.
    Verified(PathBuf),
}

impl Tls {
    /// What the URL says; if it says nothing, TLS to every other host. A password and a database's facts travel, so what goes over a
    /// network in the open is asked for by name.
    pub(super) fn wished(mode: Option<&str>, roots: Option<PathBuf>, address: &Address) -> Result<Self> {
        let wrong = |message: &str| Err(Error::new(Kind::Config, message.to_owned()));
        match (mode, roots) {
            (Some("disabled"), None) => Ok(Self::None),
            (Some("required"), None) => Ok(Self::Encrypted),
            (Some("verify_identity") | None, Some(roots)) => Ok(Self::Verified(roots)),
            (Some("verify_identity"), None) => {
                wrong("`ssl-mode=verify_identity` needs `ssl-ca` with a file of certificates")
            }
            (Some("disabled" | "required"), Some(_)) => {
                wrong("`ssl-ca` has a meaning with `ssl-mode=verify_identity` only")
            }
            (Some(other), _) => Err(Error::new(Kind::Config, format!("ssl-mode `{other}` is not supported"))
                .hint("Use `disabled`, `required` or `verify_identity`.")),
            (None, None) if is_this_host(address) => Ok(Self::None),
            (None, None) => Ok(Self::Encrypted),
        }
    }

    /// For a session of drillctl's own.
    pub(super) fn options(&self) -> Option<SslOpts> {
        match self {
            Self::None => None,
            // It wants roots even where it asks nobody.
            Self::Encrypted => {
                Some(SslOpts::default().with_danger_accept_invalid_certs(true).with_danger_skip_domain_validation(true))
            }
            Self::Verified(roots) => {
                Some(SslOpts::default().with_disable_built_in_roots(true).with_root_certs(vec![roots.clone().into()]))
            }
        }
    }

    /// The same for a client program; those of MySQL and MariaDB have other words for it.
    pub(super) fn tell(&self, program: Program, mariadb: bool) -> Program {
        match (self, mariadb) {
            (Self::None, true) => program.arg("--skip-ssl"),
            (Self::None, false) => program.arg("--ssl-mode=DISABLED"),
            (Self::Encrypted, true) => program.args(["--ssl", "--skip-ssl-verify-server-cert"]),
            (Self::Encrypted, false) => program.arg("--ssl-mode=REQUIRED"),
            (Self::Verified(roots), true) => {
                program.args(["--ssl", "--ssl-verify-server-cert"]).arg(format!("--ssl-ca={}", roots.display()))
            }
            (Self::Verified(roots), false) => {
                program.arg("--ssl-mode=VERIFY_IDENTITY").arg(format!("--ssl-ca={}", roots.display()))
            }
        }
    }
}

fn is_this_host(address: &Address) -> bool {
    match address {
        Address::Socket(_) => true,
        Address::Tcp(host, _) => host == "localhost" || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_hosts_are_spoken_to_in_the_open_only_if_the_url_says_so() {
        let [here, there] = ["127.0.0.1", "db.example.org"].map(|host| Address::Tcp(host.into(), 3306));
        assert_eq!(Tls::wished(None, None, &here).expect("wish"), Tls::None);
        assert_eq!(Tls::wished(None, None, &there).expect("wish"), Tls::Encrypted);
        assert_eq!(Tls::wished(Some("disabled"), None, &there).expect("wish"), Tls::None);
        assert_eq!(Tls::wished(None, Some("ca".into()), &there).expect("wish"), Tls::Verified("ca".into()));
    }

    #[test]
    fn a_mode_that_would_mean_less_than_it_says_is_refused() {
        let there = Address::Socket("s".into());
        for mode in ["verify_ca", "preferred", "verify_identity"] {
            assert!(Tls::wished(Some(mode), None, &there).is_err(), "{mode}");
        }
    }
}
