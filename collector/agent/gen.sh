#!/bin/sh
# Rewrites crawlers.txt from a release of the npm package crawler-user-agents: sh gen.sh 1.60.0
set -eu
version=$1
here=$(cd "$(dirname "$0")" && pwd)
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
npm pack --silent "crawler-user-agents@$version" >/dev/null
tar xzf ./*.tgz
node - "$version" >"$here/crawlers.txt" <<'JS'
const fs = require('fs');
const list = JSON.parse(fs.readFileSync('package/crawler-user-agents.json', 'utf8'));
const comment = (text) => text.split('\n').map((l) => ('# ' + l).trimEnd()).join('\n');
// Plain HTTP clients are no crawlers: a shop's back end and whoever tries the tag's wire from a shell use them, and a crawler that runs
// no script has no consent receipt anyway.
const clients = ['Python-urllib', 'python-requests', 'aiohttp', 'httpx', 'libwww-perl', 'Go-http-client', 'okhttp', 'AHC\\/', '^Apache-HttpClient',
  'Jetty', 'axios', 'HttpUrlConnection', '^curl', '^PHP-Curl-Class', 'node-fetch', 'sindresorhus\\/got', 'CustomAsyncHttpClient', '^HTTPie\\/'];
const missing = clients.filter((c) => !list.some(({ pattern }) => pattern === c));
if (missing.length > 0) throw new Error('no longer in the list: ' + missing.join(', '));
console.log('# Patterns of known crawlers, one Go regular expression a line.');
console.log(`# Derived by gen.sh from crawler-user-agents.json of the npm package crawler-user-agents ${process.argv[2]} (its "pattern" fields, in its order),\n# without those of plain HTTP clients.`);
console.log('#');
console.log(comment(fs.readFileSync('package/LICENSE', 'utf8').trim()));
for (const { pattern } of list) if (!clients.includes(pattern)) console.log(pattern.replaceAll('\\/', '/'));
JS
