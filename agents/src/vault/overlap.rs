//! Whether one place in storage lies in another, whatever their addresses are called.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::PathBuf;

use super::Vault;

/// What the names of all servers of AWS end with.
const AWS: &str = ".amazonaws.com";

impl Vault {
    /// The path, below this place, of another place that lies in it; empty if they are the same.
    pub(crate) async fn below(&self, other: &Self) -> Option<PathBuf> {
        let [ours, theirs] = [self, other].map(|place| place.operator.info());
        if (ours.scheme(), ours.name()) != (theirs.scheme(), theirs.name()) || !self.is_on_the_server_of(other).await {
            return None;
        }
        Some(theirs.root().strip_prefix(&ours.root())?.trim_end_matches('/').into())
    }

    /// Addresses that its server answers at; none for a name that can't be resolved now.
    pub(crate) async fn addresses(&self) -> BTreeSet<SocketAddr> {
        let Some(endpoint) = &self.endpoint else { return BTreeSet::new() };
        let (Some(host), Some(port)) = (endpoint.host_str(), endpoint.port_or_known_default()) else {
            return BTreeSet::new();
        };
        // An address of IPv6 stands in brackets in a URL, and nowhere else.
        let host = host.trim_matches(['[', ']']);
        tokio::net::lookup_host((host, port)).await.into_iter().flatten().collect()
    }

    async fn is_on_the_server_of(&self, other: &Self) -> bool {
        self.host() == other.host() || !self.addresses().await.is_disjoint(&other.addresses().await)
    }

    /// The server by name and port; nothing for AWS, where a bucket's name says it all, and for services with one server.
    fn host(&self) -> Option<(&str, Option<u16>)> {
        let endpoint = self.endpoint.as_ref()?;
        let host = endpoint.host_str()?;
        (!host.ends_with(AWS)).then(|| (host, endpoint.port_or_known_default()))
    }
}
