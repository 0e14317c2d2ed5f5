#!/bin/sh
# Makes the certificates beside it, for tests only: two servers' (localhost), an authority and a
# client of that authority. A hundred years, so that no test fails one day for being old.
set -eu
cd "$(dirname "$0")"
new="-newkey ec -pkeyopt ec_paramgen_curve:P-256 -noenc -days 36500"
server="-subj /CN=localhost -addext subjectAltName=DNS:localhost,IP:127.0.0.1"
for name in server other; do
  openssl req -x509 $new $server -keyout $name.key -out $name.pem
done
openssl req -x509 $new -subj /CN=authority -keyout authority.key -out authority.pem
openssl req -x509 $new -subj /CN=client -CA authority.pem -CAkey authority.key \
  -addext basicConstraints=CA:FALSE -keyout client.key -out client.pem
openssl ec -aes256 -passout pass:secret -in server.key -out locked.key
rm authority.key
