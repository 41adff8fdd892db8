//! The one TLS provider of the process. Two would panic at the first connection, none fails at run time only.

use std::sync::Once;

/// Makes AWS-LC the process's TLS provider and the HTTP client that of the vaults. Called first thing in `main`, and again by
/// whatever opens a vault; only the first call does something.
pub fn install_tls() {
    static INSTALLED: Once = Once::new();
    INSTALLED.call_once(|| {
        // An error says that one is installed already, which is all that is wanted.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        opendal::install_default();
    });
}
