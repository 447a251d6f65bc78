/** Where a process of a run finds by how many milliseconds its clock is wrong, in its working directory. */
export const CLOCK_FILE = 'clock-is-wrong-by-ms'
