<?php
// The application of flask/app.py in PHP, with nothing but $_SERVER: a front controller of `php -S`. Its links are
// made of the host and of BASE, the path of the application, as those of many older programs are.
if (is_file(__DIR__ . '/settings.php')) {
    require __DIR__ . '/settings.php';
}
$base = defined('BASE') ? BASE : '';
$path = explode('?', $_SERVER['REQUEST_URI'])[0];
if ($base !== '' && str_starts_with($path, $base)) {
    $path = substr($path, strlen($base));
}
$scheme = empty($_SERVER['HTTPS']) ? 'http' : 'https';
$site = "$scheme://{$_SERVER['HTTP_HOST']}";
if (preg_match('#^/items/\d+$#', $path)) {
    header('Content-Type: application/json');
    echo json_encode([
        'client' => $_SERVER['REMOTE_ADDR'],
        'scheme' => $scheme,
        'host' => $_SERVER['HTTP_HOST'],
        'link' => "$site$base/items/2",
        'path' => "$base/items/2",
    ], JSON_UNESCAPED_SLASHES);
} elseif ($path === '/dir') {
    header("Location: $site$base/dir/", true, 301);
} elseif ($path === '/go' || $path === '/form' && $_SERVER['REQUEST_METHOD'] === 'POST') {
    header("Location: $site$base/items/1", true, 303);
} elseif ($path === '/form') {
    echo 'a form';
} else {
    http_response_code(404);
}
