/** Nesting of arrays and maps that is read, in MessagePack and JSON alike. Messages need 4; the rest is room for fields to come. */
export const maxDepth = 16
