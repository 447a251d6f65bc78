/** The real thing, but for what a test has it do instead: a store whose write fails, a queue that is watched. */
export function instead<T extends object>(real: T, changed: Partial<T>): T {
  return new Proxy(real, {
    get(target, name) {
      const value: unknown = Reflect.get(name in changed ? changed : target, name)
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
}

/** What never answers. */
export function never(): Promise<never> {
  return new Promise(() => {})
}
