/** A real Kafka 3.9.1 (KRaft, one node) for checks: fetched by Maven once a machine, with a plain listener and one with TLS and SCRAM. */
import { execFileSync, spawn } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const CLUSTER = 'penstockpenstockpenst0'; // 22 characters of base64, as Kafka asks for

/** Jars of the broker; `PENSTOCK_KAFKA_LIBS` names a folder that has them. */
function libraries() {
  const folder = process.env.PENSTOCK_KAFKA_LIBS ?? join(tmpdir(), 'penstock-kafka-3.9.1');
  const libs = join(folder, 'libs');
  if (!existsSync(libs) || !readdirSync(libs).some((name) => name.startsWith('kafka-tools-3'))) {
    mkdirSync(folder, { recursive: true });
    copyFileSync(fileURLToPath(new URL('./pom.xml', import.meta.url)), join(folder, 'pom.xml'));
    execFileSync('mvn', ['-q', '-B', 'dependency:copy-dependencies', '-DoutputDirectory=libs'], {
      cwd: folder,
      stdio: 'inherit',
    });
  }
  return join(libs, '*');
}

async function freePort() {
  const server = createServer();
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address();
  await new Promise((resolve) => server.close(resolve));
  return port;
}

export class Broker {
  #work;
  #libs = libraries();
  #process;

  constructor(work) {
    this.#work = work;
  }

  async prepare() {
    const [plain, secure, controller] = [await freePort(), await freePort(), await freePort()];
    this.address = `127.0.0.1:${plain}`;
    this.secureAddress = `127.0.0.1:${secure}`;
    this.caFile = join(this.#work, 'cert.pem');
    const key = join(this.#work, 'key.pem');
    const subject = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1'];
    const made = ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', '-keyout', key, '-out', this.caFile];
    execFileSync('openssl', [...made, ...subject], { stdio: 'ignore' });
    writeFileSync(join(this.#work, 'server.pem'), readFileSync(key, 'utf8') + readFileSync(this.caFile, 'utf8'));
    writeFileSync(
      join(this.#work, 'server.properties'),
      `process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:${controller}
controller.listener.names=CONTROLLER
listeners=PLAINTEXT://${this.address},SASL_SSL://${this.secureAddress},CONTROLLER://127.0.0.1:${controller}
advertised.listeners=PLAINTEXT://${this.address},SASL_SSL://${this.secureAddress}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,SASL_SSL:SASL_SSL,CONTROLLER:PLAINTEXT
sasl.enabled.mechanisms=SCRAM-SHA-256
listener.name.sasl_ssl.scram-sha-256.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;
ssl.keystore.type=PEM
ssl.keystore.location=${join(this.#work, 'server.pem')}
ssl.client.auth=none
log.dirs=${join(this.#work, 'log')}
auto.create.topics.enable=false
offsets.topic.replication.factor=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
group.initial.rebalance.delay.ms=0
`,
    );
    const scram = ['--add-scram', 'SCRAM-SHA-256=[name=penstock,password=of-this-check]'];
    this.#java('kafka.tools.StorageTool', ['format', '-t', CLUSTER, '-c', 'server.properties', ...scram]);
  }

  async start() {
    const heap = ['-Xmx384m', '-XX:+UseSerialGC', '-cp', this.#libs];
    this.#process = spawn('java', [...heap, 'kafka.Kafka', 'server.properties'], { cwd: this.#work, stdio: 'ignore' });
    const [host, port] = this.address.split(':');
    for (let left = 600; ; left--) {
      if (this.#process.exitCode !== null || left === 0) throw new Error('the broker did not start');
      const { connect } = await import('node:net');
      const open = await new Promise((resolve) => {
        const socket = connect({ host, port: Number(port) }, () => resolve(true));
        socket.once('error', () => resolve(false));
        socket.unref();
      });
      if (open) return;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }

  async kill() {
    const ended = new Promise((resolve) => this.#process.once('exit', resolve));
    this.#process.kill('SIGKILL');
    await ended;
    this.#process = undefined;
  }

  get runs() {
    return this.#process !== undefined;
  }

  /** All messages of a topic as Kafka's own console consumer prints them: headers, key and value, tabs between. */
  read(topic, messages) {
    const shown = ['print.headers=true', 'print.key=true'].flatMap((one) => ['--property', one]);
    const wanted = ['--from-beginning', '--max-messages', String(messages), '--timeout-ms', '60000'];
    const args = ['--bootstrap-server', this.address, '--topic', topic, ...wanted, ...shown];
    return this.#java('org.apache.kafka.tools.consumer.ConsoleConsumer', args)
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => line.split('\t'));
  }

  #java(main, args) {
    const options = { cwd: this.#work, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'], maxBuffer: 256e6 };
    return execFileSync('java', ['-cp', this.#libs, main, ...args], options);
  }
}
