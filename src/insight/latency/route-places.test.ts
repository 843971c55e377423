import { expect, it } from 'vitest';
import { ROUTE_PLACES } from '../request-figures.js';
import { OTHER_ROUTES, RoutePlaces } from './route-places.js';

it('a route keeps its place, whatever routes come and go', () => {
  const places = new RoutePlaces();
  expect(places.placesOf('m', ['default', 'a'])).toEqual({ default: 1, a: 2 });
  expect(places.placesOf('m', ['b', 'a'])).toEqual({ b: 3, a: 2 });
  expect(places.placesOf('other', ['b'])).toEqual({ b: 1 });
  expect(places.placesOf('plain', [])).toEqual({});
});

it('routes beyond the last place share it', () => {
  const places = new RoutePlaces();
  const names = Array.from({ length: 40 }, (_, i) => `r${i}`);
  const given = places.placesOf('m', names);
  expect(given[`r${ROUTE_PLACES - 2}`]).toBe(ROUTE_PLACES - 1);
  expect(given[`r${ROUTE_PLACES - 1}`]).toBe(ROUTE_PLACES);
  expect([...places.of('m')]).toHaveLength(ROUTE_PLACES);
  expect(places.placeOf('m', OTHER_ROUTES)).toBe(ROUTE_PLACES);
  expect(places.placeOf('m', 'r39')).toBeUndefined();
});
