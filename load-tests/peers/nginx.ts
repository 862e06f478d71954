/** nginx in front of the engine: the thinnest hop that there is in production. It understands nothing of what it passes on. */
import { chmodSync, existsSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { pathFolders } from '../../cluster/programs/server-programs.ts'
import { temporaryFolder } from '../../tests/harness/guard.ts'
import { freePort } from '../../tests/harness/ports.ts'
import { startProcess } from '../../tests/harness/processes.ts'
import type { PeerKind } from './peer.ts'
import { programVersion } from './versions.ts'

const name = 'nginx'

export const nginx: PeerKind = {
  name,
  start: async ({ url }) => {
    const program = nginxProgram()
    if (program === undefined) throw new Error('there is no nginx on this machine')
    const version = await programVersion(program, '-v')
    const folder = temporaryFolder('nginx')
    // Started by root, its worker is somebody else.
    chmodSync(folder.path, 0o711)
    const port = await freePort()
    writeFileSync(path.join(folder.path, 'nginx.conf'), configuration(port, new URL(url).host))
    const running = await startProcess(undefined, {
      command: program,
      args: ['-p', folder.path, '-c', 'nginx.conf', '-e', 'stderr'],
      ready: (line) => (line.includes('start worker process ') ? true : undefined),
    })
    const stop = async (): Promise<void> => {
      await running.stop()
      folder.remove()
    }
    return { name, version, dialect: 'openai', port, processes: new Map([['master and worker', running.pid]]), stop }
  },
}

/** It lies where only root looks for programs, on many machines. */
export function nginxProgram(): string | undefined {
  return [...pathFolders(), '/usr/sbin', '/usr/local/sbin'].map((folder) => path.join(folder, 'nginx')).find((file) => existsSync(file))
}

function configuration(port: number, engine: string): string {
  return `
daemon off;
worker_processes 1;
worker_rlimit_nofile 65536;
pid nginx.pid;
error_log stderr notice;
events {
  worker_connections 32768;
}
http {
  access_log off;
  client_body_temp_path client_body;
  proxy_temp_path proxy;
  fastcgi_temp_path fastcgi;
  uwsgi_temp_path uwsgi;
  scgi_temp_path scgi;
  keepalive_timeout 1h;
  keepalive_requests 1000000;
  upstream engine {
    server ${engine};
    keepalive 4096;
    keepalive_requests 1000000;
  }
  server {
    listen 127.0.0.1:${port} backlog=16384;
    location / {
      proxy_pass http://engine;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_buffering off;
      proxy_read_timeout 1h;
    }
  }
}
`
}
