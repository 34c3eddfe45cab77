// An echo server of node's ws. It prints its port.

import { WebSocketServer } from "ws";

const server = new WebSocketServer({
  host: "127.0.0.1",
  port: 0,
  maxPayload: 0,
  perMessageDeflate: { threshold: 0 },
  handleProtocols: (offered) => ["a", "b"].find((name) => offered.has(name)) ?? false,
  verifyClient: ({ req }, done) => {
    const found = /^\/refuse\/(\d+)$/.exec(req.url);
    found ? done(false, Number(found[1]), "refused\n") : done(true);
  },
});
server.on("listening", () => console.log(server.address().port));

const commands = {
  "!close": (socket, rest) => {
    const [, code, reason] = /^(\d+) ?(.*)$/s.exec(rest);
    socket.close(Number(code), reason);
  },
  "!ping": (socket, rest) => {
    socket.once("pong", (data) => socket.send(`pong ${data}`));
    socket.ping(rest);
  },
  "!many": (socket, rest) => {
    for (let at = 0; at < Number(rest); at++) socket.send(String(at));
  },
  "!fragments": (socket) => {
    socket.send("one", { fin: false });
    socket.send("two", { fin: false });
    socket.send("three");
  },
  "!drop": (socket) => socket.terminate(),
};

server.on("connection", (socket, request) => {
  socket.on("error", () => {});
  if (request.url === "/greet") socket.send("welcome");
  socket.on("message", (data, isBinary) => {
    const [, name, rest] = (!isBinary && /^(![a-z]+) ?(.*)$/s.exec(data.toString())) || [];
    if (name in commands) commands[name](socket, rest);
    else socket.send(data, { binary: isBinary });
  });
});
