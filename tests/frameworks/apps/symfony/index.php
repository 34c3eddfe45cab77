<?php
// The application of flask/app.py with the requests of Symfony, which Laravel has too.
require '/usr/share/php/Symfony/Component/HttpFoundation/autoload.php';

use Symfony\Component\HttpFoundation\JsonResponse;
use Symfony\Component\HttpFoundation\RedirectResponse;
use Symfony\Component\HttpFoundation\Request;
use Symfony\Component\HttpFoundation\Response;

if (is_file(__DIR__ . '/settings.php')) {
    require __DIR__ . '/settings.php';
}
$request = Request::createFromGlobals();
$base = $request->getBaseUrl();
$path = $request->getPathInfo();
if (preg_match('#^/items/\d+$#', $path)) {
    $response = new JsonResponse([
        'client' => $request->getClientIp(),
        'scheme' => $request->getScheme(),
        'host' => $request->getHttpHost(),
        'link' => $request->getUriForPath('/items/2'),
        'path' => "$base/items/2",
    ]);
} elseif ($path === '/dir') {
    $response = new RedirectResponse($request->getUriForPath('/dir/'), 301);
} elseif ($path === '/go' || $path === '/form' && $request->isMethod('POST')) {
    $response = new RedirectResponse($request->getUriForPath('/items/1'), 303);
} else {
    $response = new Response('a form', $path === '/form' ? 200 : 404);
}
$response->send();
