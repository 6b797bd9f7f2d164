/** What a visitor decided, by purpose: true only where it was accepted. */
export interface Purposes {
  analytics?: boolean;
  marketing?: boolean;
  [purpose: string]: boolean | undefined;
}

/** Where a decision came from. */
export type Source =
  | 'banner' | 'consent-mode' | 'tcf' | 'klaro' | 'vanilla-cookieconsent' | 'orejime' | 'tarteaucitron' | 'api';

/** What stands beside a decision. notice: the version of the text the visitor was shown. */
export interface ConsentDetail {
  notice?: string | { version: string; language?: string };
  source?: Source;
  choices?: Record<string, unknown>;
}

/** One line of goods. Money is a decimal string ("12.25"); numbers are taken too. */
export interface Item {
  id?: string;
  name?: string;
  category?: string;
  variant?: string;
  price?: string | number;
  quantity?: number;
}

/** What an event may tell beside its name. Times, page and session are added by the tag. */
export interface Fields {
  cart?: string;
  order?: string;
  customer?: string;
  contact?: string;
  currency?: string;
  value?: string | number;
  shipping?: string | number;
  tax?: string | number;
  fees?: string | number;
  discount?: string | number;
  coupon?: string;
  payment_type?: string;
  shipping_tier?: string;
  error?: { kind: string; detail?: string };
  items?: Item[];
  [field: string]: unknown;
}

/** An event as it is sent. */
export interface WireEvent extends Fields {
  id: string;
  name: string;
  time: number;
}

/** An event that waits, with the session it happened in: a batch has one session. */
export interface Waiting {
  s: string;
  e: WireEvent;
}

/** The tag's one function. */
export interface Kassa {
  (call: 'consent', purposes: Purposes, detail?: ConsentDetail): void;
  (call: 'withdraw', how?: { erase?: boolean }): void;
  (call: 'event', name: string, fields?: Fields): void;
  (call: 'customer' | 'cart' | 'contact', ref: string | null): void;
  q?: { push(call: ArrayLike<unknown>): unknown };
  on?: boolean;
}
