/** Decompressed, a batch in the log has less: brokers refuse to take in more than 16 times the largest batch. */
export const maxDataBytes = 1024 * 1024 * 1024;
