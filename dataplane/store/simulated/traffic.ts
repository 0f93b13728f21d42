import type { Runtime } from '../../runtime/runtime.ts';
import type { VirtualRandom } from '../../runtime/virtual-random.ts';
import { zeroCounters } from './counters.ts';
import type { Interception, LossSeenAs, ScriptedFault } from './interception.ts';
import { drawLatencyMs, transferMs } from './latency.ts';
import type { StoreLatencies } from './latency.ts';
import type { ObjectTable } from './object-table.ts';
import type { Flight } from './flight.ts';
import { Hooks, requestEvent } from './observation.ts';
import type { AnswerEvent, ApplyEvent, RequestEvent } from './observation.ts';
import { isWrite } from './request.ts';
import type { BodyFlaw, FailedAnswer, StoreAnswer } from './request.ts';
import { serverFailure } from './server-failure.ts';
import type { StoreWeather } from './weather.ts';

/** Time on the way to the store, as a share of a request's latency. */
const wayThere = { from: 0.2, to: 0.9 };

interface Application {
  /** How long the answer is under way; absent when none is sent. */
  readonly answerMs?: number | undefined;
  readonly isDuplicate?: boolean;
  /** What is answered although the request has taken effect. */
  readonly instead?: FailedAnswer;
  readonly flaw?: BodyFlaw;
}

/** Carries requests from processes to the objects and answers back, through whatever the weather does to them. */
export class StoreTraffic {
  readonly counters = zeroCounters();
  readonly onRequest = new Hooks<RequestEvent>();
  readonly onApply = new Hooks<ApplyEvent>();
  readonly onAnswer = new Hooks<AnswerEvent>();
  readonly inFlight = new Set<Flight>();
  readonly latencies: StoreLatencies;
  interceptions: Interception[] = [];
  readonly #environment: Runtime;
  readonly #random: VirtualRandom;
  readonly #objects: ObjectTable;
  readonly #weather: StoreWeather;
  /** PUTs that may be applied long after they were sent, by key. */
  readonly #lingering = new Map<string, Set<Flight>>();

  constructor(
    environment: Runtime,
    random: VirtualRandom,
    latencies: StoreLatencies,
    objects: ObjectTable,
    weather: StoreWeather,
  ) {
    this.#environment = environment;
    this.#random = random;
    this.latencies = latencies;
    this.#objects = objects;
    this.#weather = weather;
  }

  /** Sends a request, if its process still can. */
  submit(flight: Flight): void {
    if (flight.host.state === 'killed') return;
    if (!this.onRequest.isEmpty) this.onRequest.call(requestEvent(flight, this.#environment.monotonicMs()));
    flight.host.send(() => {
      this.#transmit(flight);
    });
  }

  /** Whether answers come through to this endpoint now. */
  isOpen(endpoint: string): boolean {
    return this.#weather.endpointMode(endpoint) === 'open';
  }

  /** A part of `bytes` with a bit flipped, or another part of the same size: what the caller's checksum must find. */
  corrupted(bytes: Uint8Array, offset: number, sizeBytes: number): Uint8Array {
    const places = bytes.byteLength - sizeBytes;
    if (places > 0 && sizeBytes > 0 && this.#random.chance(0.5)) {
      const elsewhere = (offset + 1 + this.#random.below(places)) % (places + 1);
      return bytes.slice(elsewhere, elsewhere + sizeBytes);
    }
    const copy = bytes.slice(offset, offset + sizeBytes);
    const at = this.#random.below(sizeBytes);
    if (sizeBytes > 0) copy[at] = (copy[at] ?? 0) ^ (1 << this.#random.below(8));
    return copy;
  }

  #transmit(flight: Flight): void {
    const { request } = flight;
    const nowMs = this.#environment.monotonicMs();
    flight.sentAtMs = nowMs;
    flight.deadlineMs = nowMs + flight.timeoutMs;
    this.inFlight.add(flight);
    this.counters.requests++;
    this.counters[request.operation]++;

    const distribution = this.latencies[request.operation];
    const slowness = this.#weather.slowness(request.key);
    if (slowness > 1) this.counters.slowRequests++;
    const latencyMs = drawLatencyMs(this.#random, distribution) * slowness;
    const thereMs = latencyMs * this.#random.between(wayThere.from, wayThere.to);
    const answerMs = latencyMs - thereMs;
    const applyMs = thereMs + transferMs(distribution, request.bytes?.byteLength ?? 0);

    if (this.interceptions.length > 0 && this.#intercept(flight, applyMs, answerMs)) return;
    const mode = this.#weather.endpointMode(flight.endpoint);
    if (mode === 'unreachable') {
      this.counters.unreachable++;
      this.#later(Math.min(thereMs, flight.timeoutMs), () => {
        this.#conclude(flight, serverFailure('UNREACHABLE'));
      });
    } else if (mode === 'black-hole') {
      this.counters.requestsLost++;
      this.#timeOut(flight);
    } else {
      const fate = this.#weather.fateOf(request);
      if (fate === undefined) this.#apply(flight, applyMs, { answerMs });
      else this.#suffer(flight, fate, applyMs, answerMs);
    }
  }

  /** Whether a test has taken the request's fate into its hands. */
  #intercept(flight: Flight, applyMs: number, answerMs: number): boolean {
    const event = requestEvent(flight, flight.sentAtMs);
    for (const interception of this.interceptions) {
      const fate = interception.catch(event);
      if (fate === undefined) continue;
      if (fate.kind === 'hold') this.#hold(flight, interception, event, answerMs);
      else this.#suffer(flight, fate, applyMs, answerMs);
      if (interception.isSpent) this.interceptions = this.interceptions.filter(({ isSpent }) => !isSpent);
      return true;
    }
    return false;
  }

  #suffer(flight: Flight, fate: ScriptedFault, applyMs: number, answerMs: number): void {
    switch (fate.kind) {
      case 'request-lost':
        this.counters.requestsLost++;
        this.#lose(flight, fate.seenAs, applyMs + answerMs);
        return;
      case 'answer-lost':
        this.counters.answersLost++;
        this.#apply(flight, applyMs, {});
        this.#lose(flight, fate.seenAs, applyMs + answerMs);
        return;
      case 'late-landing':
        this.#linger(flight);
        this.#apply(flight, fate.landsAfterMs, {});
        this.#lose(flight, fate.seenAs, applyMs + answerMs);
        return;
      case 'duplicate': {
        const isFirst = fate.answer !== 'second';
        this.#linger(flight);
        this.#apply(flight, applyMs, { answerMs: isFirst ? answerMs : undefined });
        this.#apply(flight, applyMs + fate.afterMs, {
          answerMs: isFirst ? undefined : answerMs,
          isDuplicate: true,
        });
        return;
      }
      case 'error': {
        const { code, hasEffect = false } = fate;
        if (code === 'CONFLICT') this.counters.conflicts++;
        else if (code === 'THROTTLED') this.counters.throttled++;
        else if (hasEffect) this.counters.errorsWithEffect++;
        else this.counters.errorsWithoutEffect++;
        const instead = serverFailure(code);
        if (hasEffect) this.#apply(flight, applyMs, { answerMs, instead });
        else this.#answer(flight, instead, applyMs + answerMs);
        return;
      }
      case 'body':
        if (fate.flaw === 'undetected') this.counters.undetectedCorruptions++;
        else this.counters.flawedBodies++;
        this.#apply(flight, applyMs, { answerMs, flaw: fate.flaw });
        return;
      case 'delay':
        this.#apply(flight, fate.applyMs ?? applyMs, { answerMs: fate.answerMs ?? answerMs });
        return;
      case 'hold':
        throw new Error('a held request has no other fate: this is a bug of the simulated store');
    }
  }

  #hold(flight: Flight, interception: Interception, request: RequestEvent, answerMs: number): void {
    this.#linger(flight);
    flight.unapplied++;
    this.#timeOut(flight);
    const letGo = (): boolean => {
      const at = interception.held.indexOf(held);
      if (at < 0) return false;
      interception.held.splice(at, 1);
      flight.unapplied--;
      return true;
    };
    const held = {
      request,
      release: () => {
        if (letGo()) this.#apply(flight, 0, { answerMs });
      },
      drop: () => {
        if (!letGo()) return;
        this.counters.requestsLost++;
        this.#forgetIfDone(flight);
      },
    };
    interception.held.push(held);
  }

  #apply(flight: Flight, applyMs: number, application: Application): void {
    flight.unapplied++;
    // An answer that cannot come in time: whether the client hears of it is decided now, not when it is applied.
    if (application.answerMs !== undefined && this.#environment.monotonicMs() + applyMs >= flight.deadlineMs)
      this.#timeOut(flight);
    this.#later(applyMs, () => {
      const { answerMs, isDuplicate = false } = application;
      flight.unapplied--;
      // A copy that nobody is answered for must not make a lie of the answer "nothing was written, and never will be".
      if (!isDuplicate || flight.hasLanded || answerMs !== undefined) {
        const answer = this.#execute(flight, isDuplicate);
        if (answerMs !== undefined) this.#respond(flight, answer, application, answerMs);
      }
      this.#forgetIfDone(flight);
    });
  }

  #respond(flight: Flight, answer: StoreAnswer, { instead, flaw }: Application, answerMs: number): void {
    if (answer.kind === 'failed') this.#answer(flight, answer, answerMs);
    else if (instead !== undefined) this.#answer(flight, instead, answerMs);
    else if (answer.kind === 'found' && flight.request.operation === 'get') {
      const { object } = answer;
      const bodyMs =
        flight.request.isStreamed === true
          ? 0
          : transferMs(this.latencies.get, flight.request.rangeBytes ?? object.bytes.byteLength);
      this.#answer(flight, flaw === undefined ? answer : { kind: 'found', object, flaw }, answerMs + bodyMs);
    } else this.#answer(flight, answer, answerMs);
  }

  /** One atomic step at the store. */
  #execute(flight: Flight, isDuplicate: boolean): StoreAnswer {
    const { request } = flight;
    // Nor may the copy that is answered for say so when the other one has landed.
    const refusal = isDuplicate && flight.hasLanded ? undefined : this.#refusal(flight);
    if (refusal !== undefined) return refusal;
    const isLate = flight.isSettled || flight.host.state === 'killed';
    if (isLate && isWrite(request.operation)) this.counters.lateLandings++;
    if (isDuplicate) this.counters.duplicates++;
    const before = this.onApply.isEmpty ? undefined : this.#objects.get(request.key)?.info.etag;
    const answer = this.#act(flight);
    if (answer.kind === 'written' || answer.kind === 'deleted') flight.hasLanded = true;
    if (answer.kind === 'written' && flight.keyWasDeleted) this.counters.lateLandingsOnDeletedKeys++;
    if (this.onApply.isEmpty || answer.kind === 'failed') return answer;
    const result = answer.kind;
    const etag = result === 'written' ? answer.etag : before;
    const { keyWasDeleted } = flight;
    for (const key of request.keys ?? [request.key]) {
      const event = requestEvent(flight, this.#environment.monotonicMs(), key);
      this.onApply.call({ ...event, result, etag, isLate, isDuplicate, keyWasDeleted });
    }
    return answer;
  }

  #refusal({ request }: Flight): FailedAnswer | undefined {
    if (this.#weather.isThrottled()) {
      this.counters.throttled++;
      return serverFailure('THROTTLED');
    }
    if (!isWrite(request.operation)) return undefined;
    const readOnly = this.#weather.readOnly();
    if (readOnly !== undefined) {
      this.counters.readOnlyRefusals++;
      return serverFailure(readOnly);
    }
    if (request.keys === undefined && this.#weather.isOverWriteRate(request.key)) {
      this.counters.throttled++;
      return serverFailure('THROTTLED');
    }
    const { announcedCrc32c, crc32c } = request;
    if (announcedCrc32c !== undefined && crc32c !== undefined && announcedCrc32c !== crc32c)
      return serverFailure('CHECKSUM_REJECTED');
    return undefined;
  }

  #act({ request }: Flight): StoreAnswer {
    switch (request.operation) {
      case 'put': {
        const lastModifiedMs = Math.floor(this.#environment.wallMs() / 1000) * 1000;
        const answer = this.#objects.put(request, lastModifiedMs, this.#weather.visibleAtMs());
        if (answer.kind === 'condition-failed') {
          this.counters.conditionFailed++;
          const id = this.#objects.get(request.key)?.info.id;
          if (id !== undefined && id === request.id) this.counters.ownConditionFailed++;
        }
        return answer;
      }
      case 'get':
      case 'head':
        return this.#objects.read(request);
      case 'list': {
        const weak = this.#weather.faults.weakList;
        const weakness = weak && { isUnordered: weak.isUnordered, nowMs: this.#environment.monotonicMs() };
        const answer = this.#objects.list(request, weakness);
        if (answer.kind === 'listed') this.counters.listOmissions += answer.omitted;
        return answer;
      }
      case 'delete':
        for (const key of request.keys ?? [request.key]) {
          if (!this.#objects.delete(key)) continue;
          for (const flight of this.#lingering.get(key) ?? []) flight.keyWasDeleted = true;
        }
        return { kind: 'deleted' };
    }
  }

  #answer(flight: Flight, answer: StoreAnswer, answerMs: number): void {
    if (this.#environment.monotonicMs() + answerMs >= flight.deadlineMs) {
      this.#timeOut(flight);
      return;
    }
    this.#later(answerMs, () => {
      if (this.isOpen(flight.endpoint)) this.#conclude(flight, answer);
      else {
        this.counters.answersLost++;
        this.#timeOut(flight);
      }
    });
  }

  #lose(flight: Flight, seenAs: LossSeenAs = this.#weather.lossSeenAs(), latencyMs: number): void {
    if (seenAs === 'TIMEOUT') this.#timeOut(flight);
    else
      this.#later(Math.min(latencyMs * this.#random.between(1, 3), flight.timeoutMs), () => {
        this.#conclude(flight, serverFailure('CONNECTION_LOST'));
      });
  }

  #timeOut(flight: Flight): void {
    this.#later(Math.max(0, flight.deadlineMs - this.#environment.monotonicMs()), () => {
      this.#conclude(flight, serverFailure('TIMEOUT'));
    });
  }

  #conclude(flight: Flight, answer: StoreAnswer): void {
    if (flight.isConcluded) return;
    flight.isConcluded = true;
    this.#forgetIfDone(flight);
    if (flight.isSettled) return;
    flight.host.receive(() => {
      this.#deliver(flight, answer);
    });
  }

  #deliver(flight: Flight, arrived: StoreAnswer): void {
    // Held by a pause until after the deadline: timer and answer are both due, and either may be looked at first.
    const isOverdue = arrived.kind !== 'failed' && this.#environment.monotonicMs() > flight.deadlineMs;
    const answer = isOverdue && this.#random.chance(0.5) ? serverFailure('TIMEOUT') : arrived;
    if (this.onAnswer.isEmpty) {
      this.#settle(flight, answer);
      return;
    }
    const event = requestEvent(flight, this.#environment.monotonicMs());
    this.onAnswer.call({ ...event, answer: answer.kind === 'failed' ? answer.code : answer.kind });
    if (flight.host.state === 'running') this.#settle(flight, answer);
    else
      flight.host.receive(() => {
        this.#settle(flight, answer);
      });
  }

  #settle(flight: Flight, answer: StoreAnswer): void {
    if (flight.isSettled) return;
    flight.isSettled = true;
    if (answer.kind === 'failed' && answer.code === 'TIMEOUT') this.counters.timeouts++;
    flight.onAnswer(answer);
  }

  #linger(flight: Flight): void {
    if (flight.request.operation !== 'put') return;
    flight.lingers = true;
    const { key } = flight.request;
    const flights = this.#lingering.get(key);
    if (flights === undefined) this.#lingering.set(key, new Set([flight]));
    else flights.add(flight);
  }

  #forgetIfDone(flight: Flight): void {
    if (flight.unapplied > 0) return;
    if (flight.isConcluded) this.inFlight.delete(flight);
    if (!flight.lingers) return;
    flight.lingers = false;
    const { key } = flight.request;
    const flights = this.#lingering.get(key);
    flights?.delete(flight);
    if (flights?.size === 0) this.#lingering.delete(key);
  }

  #later(delayMs: number, callback: () => void): void {
    this.#environment.after(delayMs, callback);
  }
}
