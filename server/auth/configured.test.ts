import t from 'tap'
import { readConfig } from '../../platform/config/config.ts'
import { authenticationSettings } from './configured.ts'

const settings = (environment: Record<string, string>) => authenticationSettings(readConfig(environment))

t.test('without authentication the server listens where only its own machine reaches it, unless told so', async (t) => {
  for (const HOST of ['127.0.0.1', 'localhost', '::1', '']) t.match(settings({ HOST }), { isRequired: false }, HOST)
  for (const HOST of ['0.0.0.0', '::', '192.168.1.2', 'chat.example.org']) {
    t.throws(() => settings({ HOST }), { name: 'StartupFault', message: /Without authentication/, hint: /CHATTERBOT_ALLOW_UNAUTHENTICATED=true/, exitCode: 78 }, HOST)
    t.match(settings({ HOST, CHATTERBOT_ALLOW_UNAUTHENTICATED: 'true' }), { isRequired: false })
    t.match(settings({ HOST, CHATTERBOT_AUTH: 'api-key' }), { isRequired: true, takesApiKeys: true, jwt: null })
  }
})

t.test('several modes may be on together, but none goes with no other', async (t) => {
  const jwt = { CHATTERBOT_JWT_ISSUER: 'i', CHATTERBOT_JWT_AUDIENCE: 'a', CHATTERBOT_JWT_SECRET: 'x'.repeat(32) }
  for (const CHATTERBOT_AUTH of ['api-key,jwt', 'jwt, api-key']) t.match(settings({ CHATTERBOT_AUTH, ...jwt }), { isRequired: true, takesApiKeys: true, jwt: { issuer: 'i', algorithms: ['HS256'] } })
  t.match(settings({ CHATTERBOT_AUTH: 'jwt', ...jwt }), { takesApiKeys: false })
  for (const CHATTERBOT_AUTH of ['none,api-key', 'basic', 'api-key,']) t.throws(() => settings({ CHATTERBOT_AUTH, ...jwt }), { name: 'StartupFault', message: /CHATTERBOT_AUTH/ }, CHATTERBOT_AUTH)
})
