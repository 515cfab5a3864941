<?php
$secret = 'YOUR_HMAC_SECRET';
$method = 'POST';
$path = '/api/v1/tasks';
$query = '';                       // what follows the question mark, as it is sent
$body = '{"name": "Signed"}';      // the very bytes of the body
$timestamp = (string) time();

$lines = [$method, $path, $query, hash('sha256', $body), $timestamp];
$signature = hash_hmac('sha256', implode("\n", $lines), $secret);

$headers = [
    'Authorization: Bearer YOUR_TOKEN',
    'Content-Type: application/json',
    "X-Timestamp: $timestamp",
    "X-Signature: $signature",
];
