//! An etcd cluster: where its members are, and who asks them.

use crate::place::Path;
use crate::{EtcdSource, Scratch, secret};

use super::Rules;

const SCHEMES: [&str; 3] = ["https://", "http://", "unix://"];

pub(super) fn check(rules: &mut Rules<'_>, source: &EtcdSource) {
    let path = rules.at(["source", "etcd"]);
    for (number, endpoint) in source.endpoints.iter().enumerate() {
        member(rules, &path.key("endpoints").item(number), endpoint);
    }
    login(rules, &path, source.user.is_some(), source.password.is_some());
    let Scratch::Etcd(scratch) = &rules.system.scratch else { return };
    let path = rules.at(["scratch", "etcd"]);
    login(rules, &path, scratch.user.is_some(), scratch.password.is_some());
    if source.user.is_some() && scratch.user.is_none() && scratch.password.is_none() {
        let hint = "Name a user with the role `root` and where its password is kept: `{user: root, password: {env: NAME}}`. It is one of \
                    the source's, as they were when the backup was taken.";
        rules.say(&path, "the restored cluster asks for a user as the source does, and the scratch names none", hint);
    }
}

fn member(rules: &mut Rules<'_>, path: &Path, endpoint: &str) {
    const USUAL: &str = "Write `https://host:2379`, `http://host:2379` without TLS, or `unix:///path/of/the/socket`.";
    let rest = SCHEMES.iter().find_map(|scheme| endpoint.strip_prefix(scheme));
    if secret::in_url(endpoint) || rest.is_some_and(|rest| rest.contains('@')) {
        let hint = "Take it out of the address: write `user: NAME` and say where the password is kept, `password: {env: NAME}`.";
        rules.say(path, "the address of a member has a user in it", hint);
    } else if rest.is_none_or(str::is_empty) {
        rules.say(path, "this is not the address of a member", USUAL);
    } else if !endpoint.starts_with("unix://") && rest.is_some_and(|rest| rest.trim_end_matches('/').contains('/')) {
        rules.say(path, "the address of a member ends with the port, and something follows", USUAL);
    }
}

/// A user is of use with a password only.
fn login(rules: &mut Rules<'_>, path: &Path, user: bool, password: bool) {
    if user != password {
        let message = "`user` and `password` belong together, and one of them is missing";
        rules.say(path, message, "Give both, or neither if the cluster asks for none.");
    }
}
