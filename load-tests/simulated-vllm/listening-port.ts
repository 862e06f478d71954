/** The server's port, which can be closed and opened again while connections live on. */
import uWS, { type TemplatedApp, type us_listen_socket } from 'uWebSockets.js';

/** The declaration has options for a port of all interfaces only; the function takes them for one host too. */
type Listen = (host: string, port: number, options: number, callback: (socket: us_listen_socket | false) => void) => void;

/** LIBUS_LISTEN_EXCLUSIVE_PORT, which is declared as a member of an enum that doesn't exist at run time. */
const EXCLUSIVE = 1;
const ATTEMPTS = 10;

export class ListeningPort {
  readonly #app: TemplatedApp;
  readonly #host: string;
  #port: number;
  #socket: us_listen_socket | undefined;

  /** `port` 0: any free one. */
  constructor(app: TemplatedApp, host: string, port: number) {
    this.#app = app;
    this.#host = host;
    this.#port = port;
  }

  get number(): number {
    return this.#port;
  }

  /** @throws Error if the port can't be had. */
  open(): void {
    if (this.#socket !== undefined) return;
    if (this.#port === 0) return this.#openAny();
    this.#socket = this.#listen(this.#port);
    if (this.#socket === undefined) throw new Error(`can't listen on ${this.#host}:${this.#port}`);
  }

  /** New connections are refused; those that exist live on. */
  close(): void {
    if (this.#socket !== undefined) uWS.us_listen_socket_close(this.#socket);
    this.#socket = undefined;
  }

  /**
   * A port that the system chose can't be opened a second time while connections of the first exist, as
   * uSockets sets SO_REUSEADDR on numbered ports only. So the system is asked for a number alone.
   */
  #openAny(): void {
    for (let attempt = 0; attempt < ATTEMPTS && this.#socket === undefined; attempt++) {
      const chosen = this.#listen(0);
      if (chosen === undefined) break;
      const port = uWS.us_socket_local_port(chosen);
      uWS.us_listen_socket_close(chosen);
      this.#socket = this.#listen(port);
      if (this.#socket !== undefined) this.#port = port;
    }
    if (this.#socket === undefined) throw new Error(`can't listen on any port of ${this.#host}`);
  }

  #listen(port: number): us_listen_socket | undefined {
    let opened: us_listen_socket | undefined;
    const listen = this.#app.listen.bind(this.#app) as unknown as Listen;
    // Exclusive, or a second server would share the port and take some of the connections.
    listen(this.#host, port, EXCLUSIVE, (socket) => {
      if (socket !== false) opened = socket;
    });
    return opened;
  }
}
