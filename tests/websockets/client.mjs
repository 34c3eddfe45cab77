// A client of node's ws: runs the cases of a file, and prints the result of each.

import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import WebSocket, { Sender } from "ws";

const PATIENCE = 60_000;

function payload(spec, text = false) {
  if (typeof spec === "string") return Buffer.from(spec);
  if ("hex" in spec) return Buffer.from(spec.hex, "hex");
  const [first, length] = text ? [97, 26] : [0, 251];
  const cycle = Buffer.from(Array.from({ length }, (_, at) => first + at));
  return Buffer.alloc(spec.n, cycle);
}

function frame(first, data) {
  const options = { mask: true, generateMask: undefined, readOnly: true, rsv1: false };
  const made = Sender.frame(data, { ...options, fin: true, opcode: first & 15 });
  made[0][0] = first;
  return Buffer.concat(made);
}

const DEFLATE = {
  client_no_context_takeover: "clientNoContextTakeover",
  server_no_context_takeover: "serverNoContextTakeover",
  client_max_window_bits: "clientMaxWindowBits",
  server_max_window_bits: "serverMaxWindowBits",
};

async function run(url, test) {
  let deflate = false;
  if (test.deflate) {
    const names = Object.entries(test.deflate).map(([name, value]) => [DEFLATE[name], value]);
    deflate = { threshold: 0, ...Object.fromEntries(names) };
  }
  const result = { messages: [], pongs: [] };
  const socket = new WebSocket(url + test.path, test.protocols, {
    perMessageDeflate: deflate,
    maxPayload: 0,
  });
  let changed = () => {};
  let ended = false;
  let waiting = null;
  const until = async (isDone) => {
    const limit = Date.now() + PATIENCE;
    while (!isDone() && Date.now() < limit) {
      await Promise.race([new Promise((done) => (changed = done)), sleep(1000)]);
    }
    return isDone();
  };
  socket.on("message", (data, isBinary) => {
    const hash = createHash("sha256").update(data).digest("hex").slice(0, 12);
    result.messages.push([isBinary ? "binary" : "text", data.length, hash]);
    changed();
  });
  socket.on("pong", (data) => {
    if (data.toString("hex") === waiting) waiting = null;
    changed();
  });
  socket.on("close", (code, reason) => {
    result.close = [code, reason.toString()];
    ended = true;
    changed();
  });
  socket.on("upgrade", (response) => {
    result.extension = response.headers["sec-websocket-extensions"] ?? null;
  });
  const opened = await new Promise((done) => {
    socket.on("open", () => done(null));
    socket.on("error", (error) => done({ refused: error.message }));
    socket.on("unexpected-response", async (request, response) => {
      const chunks = [];
      for await (const chunk of response) chunks.push(chunk);
      done({ refused: response.statusCode, body: Buffer.concat(chunks).toString() });
      request.destroy();
    });
  });
  if (opened) return opened;
  result.protocol = socket.protocol;
  for (const [name, ...rest] of test.steps) {
    if (name === "text") socket.send(payload(rest[0], true), { binary: false });
    else if (name === "binary") socket.send(payload(rest[0]));
    else if (name === "frame") socket._socket.write(frame(rest[0], payload(rest[1])));
    else if (name === "ping") {
      const data = payload(rest[0]);
      waiting = data.toString("hex");
      socket.ping(data);
      const came = await until(() => waiting === null || ended);
      result.pongs.push([data.toString("hex"), came && !ended]);
    } else if (name === "many") {
      for (let at = 0; at < rest[0]; at++) socket.send(String(at).padEnd(rest[1], "x"));
    } else if (name === "recv") {
      if (!(await until(() => result.messages.length >= rest[0] || ended))) result.late = true;
    } else if (name === "close") socket.close(...rest);
    else if (name === "half") socket._socket.end();
    else if (name === "wait") await sleep(rest[0] * 1000);
  }
  result.ended = await until(() => ended);
  socket.terminate();
  return result;
}

const [url, file] = process.argv.slice(2);
for (const test of JSON.parse(readFileSync(file))) {
  console.log(JSON.stringify([test.name, await run(url, test)]));
}
// A connection that a refusal has left open would keep the program.
process.exit(0);
