// Socket.IO as its documentation has it: a room, its Redis adapter for other processes, and nothing stored.
// Run with: node socketio.js, and the variables PORT and REDIS_URL.
const { createServer } = require("node:http");
const { createAdapter } = require("@socket.io/redis-adapter");
const { createClient } = require("redis");
const { Server } = require("socket.io");

async function main() {
  const publisher = createClient({ url: process.env.REDIS_URL });
  const subscriber = publisher.duplicate();
  await Promise.all([publisher.connect(), subscriber.connect()]);
  const server = createServer((_, answer) => answer.end());
  const io = new Server(server, { adapter: createAdapter(publisher, subscriber), transports: ["websocket"] });
  io.on("connection", (socket) => {
    const { room } = socket.handshake.query;
    socket.join(room);
    socket.on("message", (message) => {
      io.to(room).emit("message", { message, sender: socket.id, timestamp: new Date().toISOString() });
    });
  });
  server.listen(Number(process.env.PORT), "127.0.0.1");
}

main();
