#!/usr/bin/env bash
# Expected: a code is made from the HTTP status only where the response has no grpc-status;
#   where it has one, that one counts (gRPC's table of HTTP statuses).
# Happens: with any HTTP status but 200 the code comes from the HTTP status and the message from
#   grpc-message: a 404 with grpc-status 5 is UNIMPLEMENTED, "no such user".
# Package: @connectrpc/connect-web 2.3.0 (npm).
# Guess: a 404 is mapped by its HTTP status, also beside a grpc-status. Right; that the message
#   still counts was not expected.
# Here: send errors to gRPC-Web clients as 200 with a grpc-status, as tower-exception does; a
#   proxy that changes the HTTP status changes the code.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

npm install --silent --no-audit --no-fund @bufbuild/protobuf@2.17.0 @connectrpc/connect@2.3.0 @connectrpc/connect-web@2.3.0
cat > show.mjs <<'EOF'
import { EmptySchema } from '@bufbuild/protobuf/wkt';
import { Code } from '@connectrpc/connect';
import { createGrpcWebTransport } from '@connectrpc/connect-web';

const method = {
  kind: 'rpc',
  methodKind: 'unary',
  input: EmptySchema,
  output: EmptySchema,
  name: 'Get',
  localName: 'get',
  parent: { typeName: 'example.Service' },
};

async function ask(status, headers) {
  const all = { 'content-type': 'application/grpc-web+proto', ...headers };
  const fetch = async () => new Response(null, { status, headers: all });
  const transport = createGrpcWebTransport({ baseUrl: 'http://example.org', fetch });
  try {
    await transport.unary(method, undefined, undefined, undefined, {});
    console.log(status, headers, '-> no error');
  } catch (error) {
    console.log(status, headers, '->', Code[error.code], JSON.stringify(error.rawMessage));
  }
}

await ask(200, { 'grpc-status': '5', 'grpc-message': 'no such user' });
await ask(404, { 'grpc-status': '5', 'grpc-message': 'no such user' });
await ask(503, { 'grpc-status': '8', 'grpc-message': 'too many' });
await ask(413, {});
EOF

cat > want <<'EOF'
200 { 'grpc-status': '5', 'grpc-message': 'no such user' } -> NotFound "no such user"
404 { 'grpc-status': '5', 'grpc-message': 'no such user' } -> Unimplemented "no such user"
503 { 'grpc-status': '8', 'grpc-message': 'too many' } -> Unavailable "too many"
413 {} -> Unknown "HTTP 413"
EOF

echo "node $(node --version)"
npm ls --depth 0 | tail -n +2
node show.mjs > got
cat got
if ! diff -u want got; then
  echo "connect-web-http-status-over-grpc-status: the behaviour has changed" >&2
  exit 1
fi
echo "connect-web-http-status-over-grpc-status: as expected"
