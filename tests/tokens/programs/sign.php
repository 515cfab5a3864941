<?php
// Signs a request as a client in PHP would. Arguments: base URL, token, secret, method, target, body.
[, $base, $token, $secret, $method, $target, $body] = $argv;
$parts = explode('?', $target, 2);
$stamp = (string) time();
$signed = [$method, $parts[0], $parts[1] ?? '', hash('sha256', $body), $stamp];
$fields = [
    'Authorization: Bearer ' . $token,
    'Content-Type: application/json',
    'X-Timestamp: ' . $stamp,
    'X-Signature: ' . hash_hmac('sha256', implode("\n", $signed), $secret),
];
$http = ['method' => $method, 'header' => $fields, 'content' => $body, 'ignore_errors' => true];
$answer = file_get_contents($base . $target, false, stream_context_create(['http' => $http]));
echo explode(' ', $http_response_header[0])[1], "\n", $answer;
