/** Property tests try the same inputs in every run of the gate, so that it says the same twice; FC_SEED=… (any number) tries others. */
import fc from 'fast-check'

fc.configureGlobal({ seed: Number(process.env['FC_SEED'] ?? 20_261_123) })
