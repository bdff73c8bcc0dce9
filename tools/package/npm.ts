/**
 * Installs packages from npm, of exact versions, into Deno's cache: tools that check the package, and no dependency of it.
 * Nothing is written to the checkout.
 *
 * @module
 */

/** Runs a program and returns what it prints on both streams; throws it if the program fails. */
export async function run(program: string, args: string[], cwd?: string): Promise<string> {
  const command = new Deno.Command(program, { args, env: { NO_COLOR: "1" }, ...(cwd === undefined ? {} : { cwd }) });
  const { success, stdout, stderr } = await command.output();
  const text = [stdout, stderr].map((bytes) => new TextDecoder().decode(bytes)).join("");
  if (!success) throw new Error(`${program} ${args.join(" ")}\n${text}`);
  return text;
}

/**
 * Installs packages, unless they are installed already. Ends the process if npm does not answer: the check is left out.
 *
 * @param dependencies The version of each package, as in `package.json`.
 * @returns The path of their `node_modules`.
 */
export async function installed(dependencies: Readonly<Record<string, string>>): Promise<string> {
  const modules = await tryInstalled(dependencies);
  if (modules !== undefined) return modules;
  console.log("npm does not answer: left out");
  Deno.exit();
}

/** As {@linkcode installed}, but returns `undefined` if npm does not answer. */
export async function tryInstalled(dependencies: Readonly<Record<string, string>>): Promise<string | undefined> {
  const manifest = JSON.stringify({ private: true, type: "module", dependencies });
  const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(manifest)));
  const { denoDir } = JSON.parse(await run(Deno.execPath(), ["info", "--json", "--no-config"]));
  const folder = `${denoDir}/rockpool/npm-${hash.toHex().slice(0, 16)}`;
  const modules = `${folder}/node_modules`;
  if (await exists(folder)) return modules;
  console.log(`Installing from npm: ${Object.keys(dependencies).join(", ")}`);
  await Deno.mkdir(`${denoDir}/rockpool`, { recursive: true });
  const temporary = await Deno.makeTempDir({ dir: `${denoDir}/rockpool` });
  try {
    await Deno.writeTextFile(`${temporary}/package.json`, manifest);
    await install(temporary);
    await Deno.rename(temporary, folder); // another process never sees half of it
  } catch (error) {
    await Deno.remove(temporary, { recursive: true });
    if (await exists(folder)) return modules;
    if (await npmAnswers()) throw error;
    return undefined;
  }
  return modules;
}

/** Installs what the manifest of a folder names. A download of a large package may break off, and is tried again. */
async function install(folder: string): Promise<void> {
  // The script of Bun's package puts the program for this machine in its place.
  const args = ["install", "--quiet", "--node-modules-dir=auto", "--allow-scripts=npm:bun"];
  for (let attempt = 1;; attempt++) {
    try {
      await run(Deno.execPath(), args, folder);
      return;
    } catch (error) {
      if (attempt === 3 || !await npmAnswers()) throw error;
      console.log(`Trying again: ${error}`);
    }
  }
}

async function exists(path: string): Promise<boolean> {
  try {
    return (await Deno.stat(path)).isDirectory;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

async function npmAnswers(): Promise<boolean> {
  try {
    const response = await fetch("https://registry.npmjs.org/deno/latest", { signal: AbortSignal.timeout(30_000) });
    await response.json();
    return response.ok;
  } catch {
    return false;
  }
}
