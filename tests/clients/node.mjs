// Does what a test tells it: lines of {code, given} in, lines of {value} or {error} out. `code` is the
// body of an async function; what it puts in `kept` is there for the next.
import {createInterface} from "node:readline";
import {createRequire} from "node:module";

console.log = console.error;  // the way out is for answers
const Asynchronous = (async () => {}).constructor;
const require = createRequire(import.meta.url), kept = {};

async function until(what, seconds = 10) {
  for (const end = Date.now() + 1000 * seconds; Date.now() < end;) {
    const found = await what();
    if (found) return found;
    await new Promise(after => setTimeout(after, 10));
  }
  throw new Error(`it never came to be that ${what}`);
}

for await (const line of createInterface({input: process.stdin})) {
  const {code, given} = JSON.parse(line);
  let answer;
  try {
    const act = new Asynchronous("require", "kept", "until", "given", code);
    answer = {value: await act(require, kept, until, given) ?? null};
  } catch (problem) {
    answer = {error: problem.stack};
  }
  process.stdout.write(JSON.stringify(answer) + "\n");
}
process.exit();
