// Calls of npm in one process: starting it takes longer than all that it does in a call.
//
// Started with the path of npm's own program, and two descriptors. Each line that is read is a call
// with its variables and its folder; each line that is written says what npm said, and whether it
// failed. What follows is npm's own code, called as its program does: see its lib/cli/entry.js.

'use strict'

const fs = require('node:fs')
const path = require('node:path')

const [program, asked, answered] = process.argv.slice(2)
const folder = path.dirname(path.dirname(fs.realpathSync(program)))
const own = (name) => require(require.resolve(name, { paths: [folder] }))
own('graceful-fs').gracefulify(fs)
const Npm = own('./lib/npm.js')

function begin ({ arguments: words, environ, folder: start }) {
  for (const name of Object.keys(process.env)) delete process.env[name]
  Object.assign(process.env, environ)
  process.chdir(start)
  process.argv = [process.execPath, program, ...words]
  process.exitCode = undefined
}

async function call () {
  const npm = new Npm()
  try {
    const { exec, command, args } = await npm.load()
    if (exec && command) await npm.exec(command, args)
    return [String(process.exitCode || 0), Boolean(process.exitCode || (exec && !command))]
  } catch (error) {
    return [`${error.message} ${error.jsonError ? JSON.stringify(error.jsonError) : ''}`, true]
  } finally {
    npm.unload()
    // No call uses a connection of an earlier one. The module is loaded in the first call, with the
    // variables that name the proxy, which is the same for all.
    own('@npmcli/agent').cache.clear()
  }
}

// Requests that nobody waits for may fail later.
process.on('unhandledRejection', () => {})

function read () {
  const parts = []
  const one = Buffer.alloc(65536)
  for (;;) {
    const length = fs.readSync(Number(asked), one, 0, one.length, null)
    if (!length) return null
    parts.push(Buffer.from(one.subarray(0, length)))
    if (one[length - 1] === 10) return JSON.parse(Buffer.concat(parts).toString())
  }
}

async function main () {
  for (let line; (line = read());) {
    begin(line)
    const [said, failed] = await call()
    fs.writeSync(Number(answered), JSON.stringify({ said, failed }) + '\n')
  }
  process.exit(0)
}

main()
