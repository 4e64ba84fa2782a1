// A real OpenID provider (the npm package oidc-provider) with a login page that asks for no password.
// Its argument is JSON: the clients, and the claims of each account. Its first line on stdout is its issuer.
import http from 'node:http';
import Provider from 'oidc-provider';

const { clients, accounts } = JSON.parse(process.argv[2]);

const server = http.createServer();
server.listen(0, '127.0.0.1', () => {
  const issuer = `http://127.0.0.1:${server.address().port}`;
  const provider = new Provider(issuer, {
    clients,
    claims: { openid: ['sub'], email: ['email', 'email_verified'], groups: ['groups'] },
    conformIdTokenClaims: false, // as most companies' providers do, it tells the address in the ID token
    pkce: { required: () => true },
    findAccount: (_, id) => ({ accountId: id, claims: () => ({ sub: id, ...accounts[id] }) }),
  });
  server.on('request', provider.callback());
  console.log(issuer);
});
