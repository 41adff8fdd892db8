<?php
// Installs WordPress as its own installer does, and writes a post with an uploaded picture: php install.php SITE PICTURE
[, $site, $picture] = $argv;
$_SERVER['HTTP_HOST'] = 'localhost';
define('WP_INSTALLING', true);
define('WP_HTTP_BLOCK_EXTERNAL', true);
define('DISABLE_WP_CRON', true);
require_once "$site/wp-load.php";
require_once ABSPATH . 'wp-admin/includes/upgrade.php';
require_once ABSPATH . 'wp-admin/includes/image.php';
wp_install('Ferry notes', 'editor', 'editor@example.org', true, '', 'a password of the tests');
$post = wp_insert_post([
    'post_title' => 'The harbour at dawn',
    'post_content' => 'Three ferries, and fog.',
    'post_status' => 'publish',
    'post_author' => 1,
], true);
$upload = wp_upload_bits('harbour.png', null, file_get_contents($picture), '2026/11');
$attachment = wp_insert_attachment([
    'post_title' => 'Harbour',
    'post_mime_type' => 'image/png',
    'post_status' => 'inherit',
], $upload['file'], $post, true);
if (is_wp_error($post) || is_wp_error($attachment) || $upload['error']) {
    fwrite(STDERR, "WordPress did not take the post or the picture\n");
    exit(1);
}
set_post_thumbnail($post, $attachment);
echo $post;
