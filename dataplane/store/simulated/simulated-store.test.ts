import { VirtualTime } from '../../runtime/virtual-time.ts';
import { describeStoreContract } from '../contract.ts';
import { SimulatedStore } from './simulated-store.ts';

describeStoreContract('the simulated store without faults', () => {
  const time = new VirtualTime({ seed: 1 });
  const server = new SimulatedStore({ environment: time.environment });
  const isOver = Promise.withResolvers<void>();
  const driving = time.drive(() => isOver.promise, 'wait');
  return Promise.resolve({
    store: server.connect(time.process('first')),
    second: server.connect(time.process('second')),
    dispose: async () => {
      isOver.resolve();
      await driving;
    },
  });
});
