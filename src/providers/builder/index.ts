/** Every builder: one file, one line. */
export { dockerBuilder, objectionTo, treesOfImages } from "./docker.ts"
export { processBuilder } from "./process.ts"
export { provenancesIn } from "./provenance.ts"
