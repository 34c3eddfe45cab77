#!/usr/bin/env bash
# Expected: grpc-message is percent-encoded UTF-8, and a client that finds a bad escape in it
#   keeps the message as it came: the gRPC protocol forbids an error there.
# Happens: a lone percent sign, or escapes that are not UTF-8, cost the message and the status
#   code: UNIMPLEMENTED becomes UNKNOWN with the text "URI malformed".
# Package: @connectrpc/connect-web 2.3.0 (npm).
# Guess: none was written down for bad escapes; that a Trailers-Only response is read was
#   expected, and is right.
# Here: code that writes grpc-message has to escape each percent sign; the messages of
#   tower-exception need no escapes.
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

await ask(200, { 'grpc-status': '12', 'grpc-message': 'no%20such%20method' });
await ask(200, { 'grpc-status': '12', 'grpc-message': '50% off' });
await ask(200, { 'grpc-status': '12', 'grpc-message': 'caf%E9' });
EOF

cat > want <<'EOF'
200 { 'grpc-status': '12', 'grpc-message': 'no%20such%20method' } -> Unimplemented "no such method"
200 { 'grpc-status': '12', 'grpc-message': '50% off' } -> Unknown "URI malformed"
200 { 'grpc-status': '12', 'grpc-message': 'caf%E9' } -> Unknown "URI malformed"
EOF

echo "node $(node --version)"
npm ls --depth 0 | tail -n +2
node show.mjs > got
cat got
if ! diff -u want got; then
  echo "connect-web-grpc-message-escapes: the behaviour has changed" >&2
  exit 1
fi
echo "connect-web-grpc-message-escapes: as expected"
