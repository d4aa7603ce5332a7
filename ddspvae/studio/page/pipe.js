// A worker that carries blocks from the server to the worklet, past the page and whatever keeps it busy.

let socket = null;
let pipe = null;
let address = "";
let layout = "";
let waiting = [];

function connect() {
  socket = new WebSocket(address);
  socket.binaryType = "arraybuffer";
  socket.onopen = () => {
    pipe.postMessage({ reset: true });
    postMessage({ open: true });
    for (const text of waiting) socket.send(text);
    waiting = [];
  };
  socket.onclose = () => { postMessage({ open: false }); setTimeout(connect, 1000); };
  socket.onmessage = ({ data }) => {
    if (typeof data === "string") {
      const content = JSON.parse(data);
      if ("begun" in content) pipe.postMessage({ flush: true });
      if (content.ended) pipe.postMessage({ ended: true });
      postMessage({ content });
    } else if (layout === "marked") {
      pipe.postMessage({ mark: new DataView(data).getUint32(0, true), samples: new Float32Array(data, 4) }, [data]);
    } else {
      pipe.postMessage({ at: new DataView(data).getFloat64(0, true), samples: new Float32Array(data, 8) }, [data]);
    }
  };
}

onmessage = ({ data }) => {
  if (data.address) {
    ({ address, layout, pipe } = data);
    pipe.onmessage = () => { if (socket?.readyState === WebSocket.OPEN) socket.send(new Uint8Array(1)); };
    connect();
  } else if (socket?.readyState === WebSocket.OPEN) {
    socket.send(JSON.stringify(data.send));
  } else if (data.keep) {
    waiting.push(JSON.stringify(data.send));
  }
};
