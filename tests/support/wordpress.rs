//! A real WordPress: Debian's, installed by its own installer, on a MariaDB, with a post and an uploaded picture.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::{Mariadb, World, must};

/// A picture of one pixel.
pub const PICTURE: &[u8] = b"\x89PNG\x0d\x0a\x1a\x0a\x00\x00\x00\x0dIHDR\x00\x00\x00\x01\x00\x00\x00\x01\x08\x06\x00\x00\x00\x1f\x15\xc4\x89\x00\x00\x00\x0dIDATx\x9cc\xf8\xcf\xc0\xf0\x1f\x00\x05\x00\x01\xff\x89\x99=\x1d\x00\x00\x00\x00IEND\xaeB`\x82";

/// Puts WordPress into the world's folder `name`, and its data into the server's database.
pub fn wordpress(world: &World, name: &str, server: &Mariadb) {
    let site = world.path(name);
    std::fs::create_dir_all(site.parent().expect("below the world")).expect("folders");
    must(Command::new("cp").arg("-rL").arg(package()).arg(&site));
    world.write(&format!("{name}/wp-content/cache/front.html"), "what a cache holds");
    let ours = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/support/wordpress");
    std::fs::copy(ours.join("wp-config.php"), site.join("wp-config.php")).expect("its configuration");
    let picture = world.write("harbour.png", PICTURE);
    let mut installer = Command::new("php");
    // Its mail about the new site goes nowhere.
    installer.args(["-d", "sendmail_path=/bin/true"]).arg(ours.join("install.php")).arg(&site).arg(picture);
    installer.env("WORDPRESS_DB_HOST", format!("localhost:{}", server.socket().display()));
    installer.envs([("WORDPRESS_DB_NAME", "shop"), ("WORDPRESS_DB_USER", "root")]);
    must(installer.env("WORDPRESS_URL", "http://127.0.0.1:9"));
}

/// Where `tests/install` unpacked it.
fn package() -> PathBuf {
    let target = std::env::var_os("CARGO_TARGET_DIR").map(PathBuf::from);
    let target = target.unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../target"));
    let package = target.join("tools/wordpress/usr/share/wordpress");
    assert!(package.is_dir(), "{} is missing: `tests/install test` fetches it", package.display());
    package
}
