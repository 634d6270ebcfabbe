/** Holds back whoever asks to pass while it is shut. */
export class Gate {
  #shut: { readonly opened: Promise<void>; readonly open: () => void } | undefined

  shut(): void {
    if (this.#shut) return
    let open = (): void => {}
    const opened = new Promise<void>((resolve) => {
      open = resolve
    })
    this.#shut = { opened, open }
  }

  open(): void {
    this.#shut?.open()
    this.#shut = undefined
  }

  async pass(): Promise<void> {
    while (this.#shut) await this.#shut.opened
  }
}
